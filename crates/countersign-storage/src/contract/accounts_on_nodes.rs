//! What holds of accounts and tokens when several nodes share one database.

use countersign_core::{
    AccountHome, AddThreepid, Authorization, SessionPurpose, Stage, ThirdPartyIdentifier, UiaSession,
    ValidationSession,
};

use super::{
    data::*,
    nodes::{Nodes, spread},
};
use crate::{
    Deactivation, LogOut, PasswordChange, PasswordChanged, Refreshed, Registered, Storage, TokenReserved,
};

pub(crate) async fn one_last_use_over_all_nodes(nodes: Nodes) {
    let token = registration_token("token", Some(4));
    nodes[0].add_registration_token(token.clone()).await.unwrap();
    for number in 0..30 {
        open_registration(&*nodes[0], &number.to_string()).await;
    }
    let answers = spread(&nodes, 30, |number, node| {
        let id = uia_session_hash(&number.to_string());
        async move { node.reserve_registration_token(id, token.token_hash, NOW).await.unwrap() }
    })
    .await;
    let reserved = answers.iter().filter(|answer| matches!(answer, TokenReserved::Reserved(_)));
    assert_eq!(reserved.count(), 4);
    assert_eq!(answers.iter().filter(|answer| **answer == TokenReserved::Invalid).count(), 26);
    let made = spread(&nodes, 30, |number, node| {
        let registration = registration_in(&number.to_string(), &format!("user{number}"), None);
        async move {
            let holds = uia_session(&*node, &number.to_string()).await.registration_token.is_some();
            if holds { Some(node.register(registration, NOW).await.unwrap()) } else { None }
        }
    })
    .await;
    assert_eq!(made.into_iter().flatten().filter(|answer| *answer == Registered::Created).count(), 4);
    let held = nodes[1].find_registration_token(token.token_hash, NOW).await.unwrap().unwrap();
    assert_eq!((held.token.completed, held.pending), (4, 0));
}

pub(crate) async fn refreshes_over_all_nodes_leave_one_good_pair(nodes: Nodes) {
    for round in 0..6 {
        let (name, token) = (format!("user{round}"), format!("token{round}"));
        let login = refreshable_login(&name, "PHONE", &token);
        nodes[0].register(registration(&name, Some(login)), NOW).await.unwrap();
        spread(&nodes, 30, |number, node| {
            let refresh = refresh(&token, &format!("{token} {number}"));
            async move {
                let answer = node.refresh(refresh, NOW).await.unwrap();
                assert!(matches!(answer, Refreshed::Issued(_)), "{answer:?}");
            }
        })
        .await;
        let mut good = 0;
        for number in 0..30 {
            let successor = access_token_hash(&format!("{token} {number}"));
            good += usize::from(nodes[1].find_token(successor).await.unwrap().is_some());
        }
        assert_eq!(good, 1);
    }
}

pub(crate) async fn password_changes_over_all_nodes_have_one_effect(nodes: Nodes) {
    for round in 0..6 {
        let (name, id) = (format!("user{round}"), format!("session{round}"));
        nodes[0].register(registration(&name, None), NOW).await.unwrap();
        open_registration(&*nodes[0], &id).await;
        let answers = spread(&nodes, 30, |number, node| {
            let change = PasswordChange {
                localpart: localpart(&name),
                password_hash: number.to_string(),
                log_out: LogOut::Everybody,
                authorization: by_session(uia_session_hash(&id)),
                notices: Vec::new(),
            };
            async move { (number, node.change_password(change, NOW).await.unwrap()) }
        })
        .await;
        let changed: Vec<_> =
            answers.iter().filter(|(_, answer)| *answer != PasswordChanged::Repeated).collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
        let account = nodes[1].find_account(&localpart(&name)).await.unwrap().unwrap();
        assert_eq!(account.password_hash, Some(changed[0].0.to_string()));
    }
}

/// Logins, refreshes, new passwords, addresses that come and go, and at last the end of an account, all at once: nothing
/// fails, and nothing is left.
pub(crate) async fn everything_about_one_account_at_once_ends_well(nodes: Nodes) {
    let login = refreshable_login("alice", "PHONE", "first");
    nodes[0].register(registration("alice", Some(login)), NOW).await.unwrap();
    let address = email("alice@example.org");
    owned(&*nodes[0], &address, "alice").await;
    let request = request_with(SessionPurpose::AddThreepid, &email("new@example.org"), "new");
    let proven = validated(&*nodes[0], &request, NOW).await;
    for number in 0..16 {
        let session = UiaSession {
            localpart: Some(localpart("alice")),
            ..uia_register(uia_session_hash(&number.to_string()))
        };
        nodes[0].open_uia_session(session, Vec::new(), NOW).await.unwrap().unwrap();
    }
    spread(&nodes, 128, |number, node| {
        let (address, proven) = (address.clone(), proven.clone());
        async move { account_step(&*node, number, &address, &proven).await }
    })
    .await;
    nodes[1].deactivate(deactivation("alice"), NOW).await.unwrap();
    assert!(nodes[2].list_devices(&localpart("alice")).await.unwrap().is_empty());
    assert!(nodes[2].list_threepids(&localpart("alice")).await.unwrap().is_empty());
    for number in 0..128 {
        let token = access_token_hash(&number.to_string());
        assert!(nodes[2].find_token(token).await.unwrap().is_none(), "{number}");
    }
}

/// One of the things that happen to an account.
async fn account_step(
    node: &dyn Storage,
    number: usize,
    address: &ThirdPartyIdentifier,
    proven: &ValidationSession,
) {
    let (name, token, uia) =
        (localpart("alice"), number.to_string(), uia_session_hash(&(number % 16).to_string()));
    let notices = vec![notice_draft(address)];
    match number % 8 {
        0 | 1 => {
            let login = refreshable_login("alice", &format!("D{}", number % 3), &token);
            let _may_come_too_late = node.log_in(login, Some(PASSWORD_HASH)).await.unwrap();
        }
        2 => drop(node.refresh(refresh("first", &token), NOW).await.unwrap()),
        3 => {
            let log_out = if number % 16 == 3 { LogOut::Nobody } else { LogOut::AllBut(device_id("PHONE")) };
            let password_hash = PASSWORD_HASH.to_owned();
            let change = PasswordChange {
                localpart: name,
                password_hash,
                log_out,
                authorization: by_session(uia),
                notices,
            };
            drop(node.change_password(change, NOW).await.unwrap());
        }
        4 => {
            let authorization = if number % 16 == 4 { by_session(uia) } else { Authorization::default() };
            let add = AddThreepid {
                account: AccountHome::Here,
                authorization,
                notices,
                ..add_threepid(proven, "alice")
            };
            drop(node.add_threepid(add, NOW).await.unwrap());
        }
        5 => drop(node.delete_threepid(&name, proven.address_hash, notices, NOW).await.unwrap()),
        6 => drop(node.complete_uia_stage(uia, Stage::Password, password_proof("alice")).await.unwrap()),
        _ if number < 100 => node.log_out(&name, &device_id(&format!("D{}", number % 3))).await.unwrap(),
        _ => {
            let end = Deactivation { authorization: by_session(uia), notices, ..deactivation("alice") };
            drop(node.deactivate(end, NOW).await.unwrap());
        }
    }
}
