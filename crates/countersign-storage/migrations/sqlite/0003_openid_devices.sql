-- Tokens that prove a user to another service end with the device that asked for them. Null: a node of the version before
-- gave it out, and nobody knows for which device.
alter table openid_tokens add column device_id text;
