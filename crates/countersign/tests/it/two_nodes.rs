//! Two nodes of different names, over TLS: users of one publish addresses at the other, whose word each checks by the other's
//! keys, and which tells of the invitations that waited.

use countersign_api::{
    client::threepid::{BIND, UNBIND},
    identity::{account::REGISTER, store_invite::STORE_INVITE},
};
use serde_json::json;

use crate::support::TwoNodes;

const EMAIL: &str = "alice@example.org";

#[tokio::test]
async fn an_address_is_published_at_the_other_node_and_taken_back_by_signature() {
    let both = TwoNodes::start().await;
    let (home, service) = (&both.first, &both.second);
    let alice = home.register("alice").await;
    assert_eq!(alice.user_id, format!("@alice:{}", both.names[0]));
    let openid = home.openid_token(&alice).await;
    let token = service.identity_post(REGISTER, &openid).send().await.ok_string("token");
    let sid = service.identity_email(&token, "monkeys", EMAIL).await;
    let bind = json!({
        "client_secret": "monkeys", "sid": sid, "id_server": both.names[1], "id_access_token": token,
    });
    let carol = service.identity_user("carol").await;
    let invitation = json!({
        "medium": "email", "address": EMAIL, "room_id": "!room:here",
        "sender": format!("@carol:{}", both.names[1]),
    });
    service.identity_post(STORE_INVITE, &invitation).token(&carol).send().await.ok();
    home.post(BIND, &bind).token(&alice.access_token).send().await.ok();
    // Alice's node was told of what waited.
    service.until_outbox_is_empty().await;
    assert_eq!(service.look_up_count("select count(*) from invitations where handed_over_at is null"), 0);
    let told = "select count(*) from message_history where kind = 'on_bind' and outcome = 'delivered'";
    assert_eq!(service.look_up_count(told), 1);
    assert_eq!(service.look_up_email(&token, EMAIL).await.as_ref(), Some(&alice.user_id));
    // Bob's node asks for Bob only.
    let bob = home.register("bob").await;
    let unbind = json!({"medium": "email", "address": EMAIL, "id_server": both.names[1]});
    home.post(UNBIND, &unbind).token(&bob.access_token).send().await.ok();
    assert_eq!(service.look_up_email(&token, EMAIL).await.as_ref(), Some(&alice.user_id));
    let taken_back = home.post(UNBIND, &unbind).token(&alice.access_token).send().await;
    assert_eq!(taken_back.ok(), json!({"id_server_unbind_result": "success"}));
    assert_eq!(service.look_up_email(&token, EMAIL).await, None);
    assert_eq!(home.count("recorded_binds"), 0);
}

#[tokio::test]
async fn what_the_node_knows_nothing_of_is_taken_back_where_the_client_says() {
    let both = TwoNodes::start().await;
    let alice = both.first.register("alice").await;
    let openid = both.first.openid_token(&alice).await;
    let token = both.second.identity_post(REGISTER, &openid).send().await.ok_string("token");
    both.second.bind_email(&token, EMAIL, &alice.user_id).await;
    // Bound at the service directly, so that the node knows nothing of it: the client says where.
    let nowhere = json!({"medium": "email", "address": EMAIL});
    let unknown = both.first.post(UNBIND, &nowhere).token(&alice.access_token).send().await;
    assert_eq!(unknown.ok(), json!({"id_server_unbind_result": "no-support"}));
    let there = json!({"medium": "email", "address": EMAIL, "id_server": both.names[1]});
    let taken_back = both.first.post(UNBIND, &there).token(&alice.access_token).send().await;
    assert_eq!(taken_back.ok(), json!({"id_server_unbind_result": "success"}));
    assert_eq!(both.second.look_up_email(&token, EMAIL).await, None);
}
