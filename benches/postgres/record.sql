-- Records messages as delivered: those that were leased first.
begin;
with first as (select id from outbox where medium = 'email' and lease_id is not null order by leased_until limit :b for update skip locked), gone as (delete from outbox o using first where o.id = first.id returning o.*) insert into message_history select id, kind, medium, sid, send_attempt, 'delivered', null, tries, created_at, 1800000000000 from gone;
commit;
