//! Snapshots of every message that a person can get, from every sample.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use countersign_delivery::{
    Templates,
    templates::{
        AccountChangedEmail, AccountChangedSms, AddressInUseEmail, AddressInUseSms, EmailTemplate,
        InvitationEmail, NoAccountEmail, NoAccountSms, SmsTemplate, ValidateEmail, ValidateMsisdn,
    },
};

fn emails<T: EmailTemplate>() {
    let templates = Templates::load(None).unwrap();
    for (index, sample) in T::samples().iter().enumerate() {
        let mail = templates.render_email(sample, "en").unwrap();
        let shown = format!("Subject: {}\n\n{}\n==== HTML ====\n{}", mail.subject, mail.text, mail.html);
        insta::assert_snapshot!(format!("{}_{index}", T::NAME), shown);
    }
}

fn text_messages<T: SmsTemplate>() {
    let templates = Templates::load(None).unwrap();
    let rendered = T::samples().into_iter().map(|sample| templates.render_sms(&sample, "en").unwrap().text);
    let rendered: Vec<String> = rendered.collect();
    for text in &rendered {
        assert!(text.is_ascii() && text.len() <= 160, "more than one part: {text}");
    }
    insta::assert_snapshot!(format!("{}_sms", T::NAME), rendered.join("\n---\n"));
}

#[test]
fn validate_email() {
    emails::<ValidateEmail>();
}

#[test]
fn address_in_use_email() {
    emails::<AddressInUseEmail>();
}

#[test]
fn no_account_email() {
    emails::<NoAccountEmail>();
}

#[test]
fn account_changed_email() {
    emails::<AccountChangedEmail>();
}

#[test]
fn invitation_email() {
    emails::<InvitationEmail>();
}

#[test]
fn account_changed_sms() {
    text_messages::<AccountChangedSms>();
}

#[test]
fn validate_msisdn() {
    text_messages::<ValidateMsisdn>();
}

#[test]
fn address_in_use_sms() {
    text_messages::<AddressInUseSms>();
}

#[test]
fn no_account_sms() {
    text_messages::<NoAccountSms>();
}

#[test]
fn autofill_stands_alone_on_the_last_line() {
    let templates = Templates::load(None).unwrap();
    let text = templates.render_sms(&ValidateMsisdn::samples()[0], "en").unwrap().text;
    assert_eq!(text.lines().next_back(), Some("@app.example.org #123456"));
}
