-- Leases messages that are due.
\set l random(1, 1000000000000)
with due as (select id from outbox where medium = 'email' and lease_id is null and not_before <= 1900000000000 order by not_before limit :b for update skip locked) update outbox o set lease_id = int8send(:l), leased_until = 1900000000000, tries = tries + 1 from due where o.id = due.id returning o.id, o.sid;
