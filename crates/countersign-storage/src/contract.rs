//! The contract suite: what the traits promise, as cases that every backend passes.
//!
//! A case is a function over `Arc<dyn Storage>`. A backend adds one `contract_tests!` line; a case is named once, below.

pub(crate) mod accounts;
pub(crate) mod accounts_on_nodes;
pub(crate) mod associations;
pub(crate) mod budgets;
pub(crate) mod data;
pub(crate) mod delegations;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod identity_accounts;
pub(crate) mod identity_data;
pub(crate) mod import;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod lookups;
pub(crate) mod model;
pub(crate) mod nodes;
pub(crate) mod notices;
pub(crate) mod passwords;
pub(crate) mod peppers;
pub(crate) mod recorded_binds;
pub(crate) mod refreshes;
pub(crate) mod registration_tokens;
pub(crate) mod registrations;
pub(crate) mod requests;
pub(crate) mod retention;
pub(crate) mod signing_keys;
pub(crate) mod submissions;
pub(crate) mod threepids;
pub(crate) mod uia;

/// Makes a test of each case. `$open` is an async function that answers an empty `Arc<dyn Storage>` and whatever must
/// live as long as it.
macro_rules! contract_tests {
    ($backend:ident, $open:expr) => {
        mod $backend {
            use crate::contract::cases;

            cases!($open, requests:
                first_request_opens_a_session_and_owes_a_message
                repeated_or_lower_attempt_changes_nothing
                higher_attempt_sends_for_the_same_session
                higher_attempt_supersedes_what_waits
                higher_attempt_leaves_a_leased_message_alone
                expired_session_gives_way_to_a_new_one
                ended_session_gives_way_to_a_new_one
                consumed_session_gives_way_to_a_new_one
                higher_attempt_after_validation_opens_a_session_beside_the_old
                repeat_after_validation_changes_nothing
                purposes_addresses_and_secrets_do_not_mix
                address_in_use_is_told
                missing_address_is_told
                hidden_address_gets_a_decoy
                limits_charge_all_budgets_or_none
                repeat_is_not_charged
                refusal_is_charged
                suppressed_address_gets_nothing
                identical_requests_at_once_open_one_session
                requests_at_once_charge_each_unit_once);
            cases!($open, submissions:
                link_token_validates_and_validates_again
                code_validates
                decoy_never_validates
                unknown_session_or_secret_counts_nothing
                fifth_miss_ends_the_session
                misses_at_once_all_count
                address_cap_comes_before_the_comparison
                old_code_is_told_and_a_new_one_works
                expired_session_accepts_nothing
                confirmation_needs_a_sent_link_and_counts_nothing
                owner_ends_a_session_that_is_not_validated
                owner_suppresses_an_address);
            cases!($open, leases:
                leased_message_comes_with_its_session
                oldest_due_messages_come_first
                media_do_not_mix
                lease_hides_a_message_until_it_runs_out
                stale_lease_changes_nothing
                delivered_message_is_finished
                message_tried_again_waits_for_its_time
                giving_up_takes_the_attempt_back
                giving_up_keeps_what_was_delivered_or_waits
                messages_that_make_no_sense_are_finished
                code_of_a_fresh_generation_is_kept
                next_due_is_the_first_moment_at_which_a_lease_succeeds
                workers_at_once_never_share_a_message);
            cases!($open, threepids:
                validated_address_is_added_once_and_for_all
                same_callers_retry_succeeds
                address_of_another_account_is_refused
                unproven_address_is_refused
                what_allowed_an_address_is_used_up_with_it
                address_is_refused_when_what_allowed_it_lapsed
                addresses_are_listed_in_order_and_deleted_by_their_owner
                two_accounts_at_once_have_one_winner);
            cases!($open, accounts:
                registration_makes_account_device_and_token
                registration_without_login_makes_no_device
                taken_name_changes_nothing
                registrations_at_once_have_one_winner
                new_login_replaces_a_devices_token
                logging_out_ends_one_device
                session_makes_one_account
                logging_out_everywhere_ends_all_devices_of_one_account);
            cases!($open, registrations:
                proven_addresses_come_with_the_account
                terms_that_were_not_accepted_are_not_kept
                address_taken_meanwhile_undoes_the_registration
                unproven_address_undoes_the_registration
                one_address_begins_one_account
                registration_uses_its_token_once);
            cases!($open, passwords:
                login_with_an_old_password_is_refused
                password_change_ends_the_other_devices_as_told
                password_reset_consumes_its_proof_once
                password_resets_at_once_in_one_session_have_one_effect
                reset_by_a_proof_from_before_the_address_came_is_refused
                changes_allowed_by_an_old_password_are_refused
                account_is_ended_by_its_own_proof_once
                first_password_needs_an_account_without_anything_else
                password_change_ends_other_authentications
                resets_at_once_with_one_proof_have_one_effect
                login_at_once_with_a_reset_leaves_nobody_in
                deactivated_account_has_nothing_left_but_its_name);
            cases!($open, refreshes:
                old_refresh_token_works_until_the_new_pair_is_used
                unused_successor_is_replaced
                expired_refresh_token_issues_nothing
                refreshes_at_once_leave_one_good_pair
                pair_used_twice_at_once_is_settled_once
                login_on_the_device_ends_its_refresh_tokens);
            cases!($open, registration_tokens:
                tokens_are_kept_listed_and_deleted
                last_use_has_one_winner
                expired_session_gives_its_use_back
                token_cannot_change_in_a_session
                token_that_is_no_good_is_not_reserved);
            cases!($open, notices:
                notices_go_to_the_addresses_that_were_there
                password_change_tells_the_accounts_addresses
                suppressed_address_gets_no_notice
                notice_is_forgotten_in_time
                dead_account_gets_no_address);
            cases!($open, delegations:
                first_delegation_of_a_session_stays
                another_service_validates_a_session
                validations_at_once_are_one
                openid_token_proves_its_user_until_it_expires
                openid_tokens_end_with_their_devices);
            cases!($open, uia:
                session_is_kept_with_its_stages
                proofs_and_params_are_kept
                session_is_charged_when_it_opens
                password_counts_only_while_it_is_the_accounts
                session_that_is_there_is_opened_once
                stages_at_once_all_count);
            cases!($open, budgets:
                budget_refills_with_time
                charge_takes_from_all_or_none
                refund_gives_back_what_was_taken
                charges_at_once_take_what_there_is);
            cases!($open, health:
                check_leaves_nothing_behind);
            cases!($open, keys:
                first_index_key_stays
                index_key_is_rewrapped_only_from_what_is_kept
                first_check_value_of_a_key_stays);
            cases!($open, retention:
                what_is_over_is_forgotten_in_time
                tokens_and_delegations_are_forgotten_once_they_expired
                identity_tokens_are_forgotten_once_nobody_uses_them
                sweep_deletes_no_more_rows_than_asked
                session_that_owes_a_message_stays
                spent_budgets_stay_until_they_are_full);
            cases!($open, associations:
                bound_address_is_found_until_it_is_unbound
                lookups_need_the_current_pepper
                session_that_proves_nothing_binds_nothing
                later_bind_takes_an_address_over
                bind_needs_a_key_under_each_pepper_that_wants_one
                associations_are_listed_in_parts
                binds_at_once_leave_one_association_with_its_keys
                bind_and_unbind_at_once_leave_all_or_nothing);
            cases!($open, lookups:
                keys_that_a_filter_does_not_have_yet_are_found
                keys_are_found_however_far_a_filter_is_behind
                what_a_filter_can_not_contain_is_not_looked_for
                a_filter_of_another_server_is_not_believed
                numbers_of_lookup_keys_are_given_once
                filter_misses_no_key_of_those_that_come_at_once);
            cases!($open, peppers:
                first_pepper_stays
                peppers_that_begin_at_once_have_one_winner
                filled_pepper_takes_the_current_ones_place
                filling_adds_only_what_is_missing
                retired_peppers_are_swept_in_parts
                binds_at_once_with_a_new_pepper_are_found_under_it);
            cases!($open, invitations:
                invitation_waits_and_owes_its_mail
                handed_over_invitation_waits_no_more_and_is_found
                address_in_use_takes_no_invitation_but_charges
                spent_budget_keeps_no_invitation
                owner_ends_an_invitations_mail_and_refuses_more
                bind_owes_a_message_while_invitations_wait
                repeated_bind_owes_nothing_more_while_its_message_waits
                refused_messages_leave_a_homeservers_alone
                bind_and_invitation_at_once_never_miss_each_other);
            cases!($open, identity_accounts:
                identity_token_stands_for_its_user_until_it_is_deleted
                accepted_terms_add_up
                use_of_a_token_is_noted
                identity_tokens_end_with_their_account);
            cases!($open, recorded_binds:
                binds_are_remembered_until_they_are_taken_back
                what_an_ended_account_bound_is_to_be_taken_back
                a_bind_and_the_end_of_its_account_at_once_leave_nothing_forgotten);
            cases!($open, signing_keys:
                first_signing_key_stays
                replaced_signing_key_is_retired_for_good
                signing_keys_at_once_leave_one_current);
            cases!($open, import:
                associations_come_once_and_are_found
                later_bind_takes_the_place_of_an_earlier_one
                keys_under_another_pepper_bring_nothing
                associations_and_binds_at_once_leave_one_user_each
                pepper_comes_before_the_first_association
                invitations_come_once_and_are_handed_over
                what_clients_hold_goes_on_working
                addresses_come_to_accounts_that_are_there
                addresses_come_to_a_homeservers_accounts);
            cases!($open, export:
                everything_is_read_in_batches);
            cases!($open, model:
                invariants_hold_after_any_history);
        }
    };
}

/// Makes a test of each case in which several nodes share one database. `$open` answers all of them.
macro_rules! contract_tests_of_nodes {
    ($backend:ident, $open:expr) => {
        mod $backend {
            use crate::contract::cases;

            cases!($open, nodes:
                identical_requests_open_one_session
                rising_attempts_leave_one_message_to_send
                budgets_are_never_overdrawn
                workers_never_share_a_message
                lease_of_a_node_that_died_is_taken_over_by_one_other
                misses_all_count
                one_address_and_one_name_have_one_owner
                everything_at_once_ends_well
                binds_while_peppers_change_are_found
                filters_miss_no_key_of_another_node);
            cases!($open, accounts_on_nodes:
                one_last_use_over_all_nodes
                refreshes_over_all_nodes_leave_one_good_pair
                password_changes_over_all_nodes_have_one_effect
                everything_about_one_account_at_once_ends_well);
        }
    };
}

/// Makes a test of each case in one group.
macro_rules! cases {
    ($open:expr, $group:ident: $($case:ident)+) => {
        mod $group {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let (storage, _kept) = $open().await;
                    crate::contract::$group::$case(storage).await;
                }
            )+
        }
    };
}

pub(crate) use {cases, contract_tests, contract_tests_of_nodes};
