//! Adds a phone number to an account, lists the account's addresses, and deletes the number again.
//!
//! `cargo run -p countersign-client --example manage_addresses -- http://127.0.0.1:8008 alice GB 07700900123`

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{env, error::Error, io::stdin};

use countersign_client::{
    AddThreepidRequest, Client, DeleteThreepidRequest, ErrorCode, LoginRequest, RequestMsisdnToken,
    SubmitTokenRequest, Threepid, UserIdentifier,
};

/// Answers the account's addresses while it had the number. `code` asks the user for the code in the SMS.
pub async fn run(
    url: &str,
    (user, password): (&str, &str),
    (country, number): (&str, &str),
    mut code: impl AsyncFnMut() -> String,
) -> Result<Vec<Threepid>, Box<dyn Error>> {
    let client = Client::builder(url).build()?;
    let identifier = UserIdentifier::user(user);
    let login = client.login(&LoginRequest::password(identifier.clone(), password)).await?;
    let client = client.with_access_token(login.access_token);

    // A secret of the client's own making. A real client draws it at random for each address.
    let client_secret = "a-secret-of-my-own";
    let request = RequestMsisdnToken::new(client_secret, country, number, 1);
    let asked = client.request_token_to_3pid_msisdn(&request).await?;
    let submit_url = asked.submit_url.ok_or("an SMS always brings a code")?;
    loop {
        let typed = SubmitTokenRequest::new(&asked.sid, client_secret, code().await);
        match client.submit_token(&submit_url, &typed).await {
            Err(error) if error.errcode() == Some(&ErrorCode::TokenIncorrect) => continue,
            submitted => submitted?,
        };
        break;
    }

    // The node asks for the password again.
    let add = AddThreepidRequest::new(asked.sid, client_secret);
    client.add_3pid_with_password(&add, identifier, password).await?;

    let threepids = client.get_account_3pids().await?.threepids;
    if let Some(added) = threepids.last() {
        client.delete_3pid_from_account(&DeleteThreepidRequest::new(&added.medium, &added.address)).await?;
    }
    client.logout().await?;
    Ok(threepids)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, user, country, number] = arguments.as_slice() else {
        return Err("give URL, user, country and number".into());
    };
    let password = ask("Your password:");
    let ask_code = async || ask("The code in the SMS:");
    for threepid in run(url, (user, &password), (country, number), ask_code).await? {
        println!("{} {}", threepid.medium, threepid.address);
    }
    Ok(())
}

fn ask(question: &str) -> String {
    println!("{question}");
    let mut line = String::new();
    stdin().read_line(&mut line).expect("standard input is text");
    line.trim_end().to_owned()
}
