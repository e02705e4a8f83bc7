//! Finds the users behind addresses, with an account at a node and an identity service that trusts the node.
//!
//! `cargo run -p countersign-client --example find_people -- http://127.0.0.1:8008 http://127.0.0.1:8008 alice bob@example.com`

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{collections::HashMap, env, error::Error, io::stdin};

use countersign_client::{
    Client, IdentityClient, LoginRequest, PolicyLink, UserIdentifier,
    identity::{AcceptTermsRequest, EmailAddress, ThirdPartyIdentifier},
};

/// Answers the users who were found. `agrees` asks the user about the identity service's policies, if it has any.
pub async fn run(
    url: &str,
    identity_url: &str,
    (user, password): (&str, &str),
    addresses: &[ThirdPartyIdentifier],
    agrees: impl AsyncFnOnce(&[PolicyLink]) -> bool,
) -> Result<HashMap<ThirdPartyIdentifier, String>, Box<dyn Error>> {
    let client = Client::builder(url).build()?;
    let login = client.login(&LoginRequest::password(UserIdentifier::user(user), password)).await?;
    let client = client.with_access_token(login.access_token);

    // The node gives a token that proves the user, and the identity service gives one of its own for it.
    let openid = client.request_openid_token(&login.user_id).await?;
    let identity = IdentityClient::builder(identity_url).build()?;
    let registered = identity.register(&openid.into()).await?;
    let identity = identity.with_access_token(registered.token);

    // Each policy in one language is enough. A real client would take the user's.
    let policies = identity.get_terms().await?.policies;
    let links: Vec<PolicyLink> =
        policies.into_values().filter_map(|policy| policy.links.into_values().next()).collect();
    if !links.is_empty() {
        if !agrees(&links).await {
            return Err("without consent there is no lookup".into());
        }
        let user_accepts = links.into_iter().map(|link| link.url).collect();
        identity.accept_terms(&AcceptTermsRequest { user_accepts }).await?;
    }

    let found = identity.lookup_addresses(addresses).await?;
    identity.logout().await?;
    client.logout().await?;
    Ok(found)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, identity_url, user, emails @ ..] = arguments.as_slice() else {
        return Err("give the node's URL, the identity service's URL, user and addresses".into());
    };
    let addresses: Result<Vec<ThirdPartyIdentifier>, _> =
        emails.iter().map(|email| EmailAddress::parse(email).map(Into::into)).collect();
    let addresses = addresses?;
    let password = ask("Your password:");
    let agrees = async |links: &[PolicyLink]| {
        for link in links {
            println!("{}: {}", link.name, link.url);
        }
        ask("Do you accept? (yes or no)") == "yes"
    };
    let found = run(url, identity_url, (user, &password), &addresses, agrees).await?;
    for address in addresses {
        println!("{}: {}", address.address(), found.get(&address).map_or("nobody", String::as_str));
    }
    Ok(())
}

fn ask(question: &str) -> String {
    println!("{question}");
    let mut line = String::new();
    stdin().read_line(&mut line).expect("standard input is text");
    line.trim_end().to_owned()
}
