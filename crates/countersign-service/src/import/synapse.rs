//! The addresses of a Synapse's accounts.

use std::collections::BTreeMap;

use countersign_core::{AccountHome, AccountThreepid, SealedColumn, ServerName, Timestamp};
use countersign_storage::foreign::synapse::{SynapseThreepid, SynapseThreepids};

use super::{BATCH, Candidate, ImportError, ImportEvent, ImportKind, ImportReport, Importer, Left, user_id};

/// What to take over from a Synapse.
pub struct SynapseImport<'a> {
    /// Its addresses, first added first.
    pub threepids: SynapseThreepids,
    /// The server whose users' addresses are taken.
    pub server_name: &'a ServerName,
    /// Where the accounts live from now on.
    pub home: AccountHome,
}

impl Importer {
    /// Takes over the addresses of a Synapse's accounts. One that two accounts have goes to the one that had it first.
    ///
    /// # Errors
    /// When either database fails.
    pub async fn import_synapse(
        &self,
        import: SynapseImport<'_>,
        watch: &mut dyn FnMut(ImportEvent),
    ) -> Result<ImportReport, ImportError> {
        let SynapseImport { mut threepids, server_name, home } = import;
        let count = threepids.count();
        let tally = self.take(
            (ImportKind::Threepids, count),
            async || threepids.next_batch(BATCH).await,
            |row| self.read_synapse_threepid(row, server_name),
            async |rows| self.storage.import_threepids(rows, home).await,
            watch,
        );
        let tallies = BTreeMap::from([(ImportKind::Threepids, tally.await?)]);
        Ok(ImportReport { tallies, pepper: None, signing_key: None })
    }

    fn read_synapse_threepid(
        &self,
        row: SynapseThreepid,
        server_name: &ServerName,
    ) -> Result<Candidate<AccountThreepid>, Left> {
        let user_id = user_id(row.user_id.as_deref())?;
        let localpart = user_id.localpart_on(server_name).ok_or(Left::OtherHomeserver)?;
        let address = self.address(row.medium.as_deref(), row.address.as_deref())?;
        let (Some(validated_at), Some(added_at)) = (row.validated_at, row.added_at) else {
            return Err(Left::Malformed);
        };
        let plain = address.threepid.address().as_bytes();
        let threepid = AccountThreepid {
            localpart,
            medium: address.threepid.medium(),
            address_hash: address.hash,
            sealed_address: self.seal(SealedColumn::AccountThreepidAddress, address.hash.as_bytes(), plain),
            validated_at: Timestamp::from_millis(validated_at),
            added_at: Timestamp::from_millis(added_at),
        };
        Ok(Candidate { row: threepid, address: address.for_merges() })
    }
}
