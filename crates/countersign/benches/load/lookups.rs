//! Lookups of the identity service: of few and of many hashes, with few and with many associations. One hash in a hundred
//! is someone's.

use std::{fs, ops::Range, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use countersign_core::{
    Association, Clock as _, EmailAddress, Keyring, LookupPepper, MasterKeys, PepperedKey, SealedColumn,
    ThirdPartyIdentifier, UserId, lookup_digest,
};
use countersign_service::{SystemClock, SystemRandom, open_keyring};
use countersign_storage::{
    IdentityAccountStore as _, ImportStore as _, ImportedAssociation, PepperStore as _,
    sqlite::{SqliteSettings, SqliteStorage},
};

use crate::{
    figures::Figures,
    generator::{Requests, Until},
    node::{Database, Folder, Limits, Node, Program, Setup},
};

/// How many hashes a short lookup has.
const SHORT: u32 = 100;
/// How many hashes a long lookup has: the most that the service takes.
const LONG: u32 = 10_000;
/// How many different lookups there are, so that not one is answered from what the processor has at hand.
const DIFFERENT: u32 = 20;
/// How many associations are written at once.
const BATCH: u32 = 2_000;
/// How long a node is given to learn of the keys.
const LEARNING: Duration = Duration::from_secs(3);
/// The caller's access token.
const TOKEN: &str = "csi_the_token_of_the_benchmark";

/// What one round measured, with few and with many associations.
pub(crate) struct Lookups {
    pub(crate) short: [Figures; 2],
    pub(crate) long: [Figures; 2],
}

/// A database with associations, and the lookups in it.
pub(crate) struct People {
    folder: Folder,
    short: Arc<Vec<Vec<u8>>>,
    long: Arc<Vec<Vec<u8>>>,
}

/// Puts a node on each database under both loads.
pub(crate) fn measure(people: &[People; 2], smtp_port: u16, duration: Duration) -> Result<Lookups> {
    let [few, many] = people;
    let ([short_few, long_few], [short_many, long_many]) =
        (few.measure(smtp_port, duration)?, many.measure(smtp_port, duration)?);
    Ok(Lookups { short: [short_few, short_many], long: [long_few, long_many] })
}

impl People {
    /// Binds the addresses of that many people.
    pub(crate) fn bind(count: u32, smtp_port: u16) -> Result<Self> {
        let folder = Folder::new()?;
        // Makes the key and the tables.
        drop(Node::start(&folder, setup(smtp_port))?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let pepper = runtime.block_on(fill(&folder, count))?;
        let lookups = |length: u32| -> Result<_> {
            let lookup = |number| write_lookup(count, number * length..(number + 1) * length, &pepper);
            Ok(Arc::new((0..DIFFERENT).map(lookup).collect::<Result<Vec<_>>>()?))
        };
        Ok(Self { short: lookups(SHORT)?, long: lookups(LONG)?, folder })
    }

    fn measure(&self, smtp_port: u16, duration: Duration) -> Result<[Figures; 2]> {
        let node = Node::start(&self.folder, setup(smtp_port))?;
        // Until it knows all keys, which it learns of beside its first lookups.
        node.load(&Requests::Written(self.long.clone()), Until::Elapsed(LEARNING))?;
        let load = |lookups: &Arc<Vec<Vec<u8>>>| {
            let requests = Requests::Written(lookups.clone());
            node.load(&requests, Until::Elapsed(duration / 8))?;
            node.measure(&requests, duration)
        };
        Ok([load(&self.short)?, load(&self.long)?])
    }
}

fn setup(smtp_port: u16) -> Setup<'static> {
    let (program, database, limits) = (Program::Paused, Database::Sqlite, Limits::Off);
    Setup { program, database, limits, smtp_port, preload: None }
}

async fn fill(folder: &Folder, count: u32) -> Result<LookupPepper> {
    let storage = SqliteStorage::open(SqliteSettings::new(folder.path().join("countersign.db")))?;
    let master_keys = MasterKeys::parse(&fs::read_to_string(folder.path().join("master.key"))?)?;
    let keyring = open_keyring(&storage, &master_keys, &SystemRandom).await?;
    let caller = UserId::parse("@alice:example.org")?;
    storage.add_identity_token(keyring.identity_token_hash(TOKEN), &caller, SystemClock.now()).await?;
    let peppers = storage.list_peppers().await?;
    let pepper = peppers.first().context("a node makes a pepper when it starts")?;
    for first in (0..count).step_by(BATCH as usize) {
        let batch = first..count.min(first + BATCH);
        let associations = batch.map(|number| association(number, &keyring, pepper.number, &pepper.pepper));
        let associations = associations.collect::<Result<Vec<_>>>()?;
        let imported = storage.import_associations(associations).await?;
        ensure!(imported.is_some(), "another pepper came");
    }
    let pepper = pepper.pepper.clone();
    storage.close();
    Ok(pepper)
}

fn association(
    number: u32,
    keyring: &Keyring,
    pepper_number: i64,
    pepper: &LookupPepper,
) -> Result<ImportedAssociation> {
    let threepid = email(number)?;
    let address_hash = keyring.address_hash(&threepid);
    let (column, row) = (SealedColumn::AssociationAddress, address_hash.as_bytes());
    let sealed_address = keyring.sealer().seal(column, row, threepid.address().as_bytes(), &SystemRandom);
    let key = keyring.lookup_key(&lookup_digest(&threepid, pepper));
    Ok(ImportedAssociation {
        association: Association {
            medium: threepid.medium(),
            address_hash,
            sealed_address,
            user_id: UserId::parse(&format!("@user{number}:example.org"))?,
            bound_at: SystemClock.now(),
        },
        keys: vec![PepperedKey { pepper: pepper_number, key }],
    })
}

/// A request that looks those people up, of whom one in a hundred is there.
fn write_lookup(count: u32, numbers: Range<u32>, pepper: &LookupPepper) -> Result<Vec<u8>> {
    let hash = |number: u32| -> Result<String> {
        let someone =
            if number.is_multiple_of(100) { number.wrapping_mul(7919) % count } else { count + number };
        Ok(format!(r#""{}""#, lookup_digest(&email(someone)?, pepper).encode()))
    };
    let hashes = numbers.map(hash).collect::<Result<Vec<_>>>()?.join(",");
    let pepper = pepper.as_str();
    let body = format!(r#"{{"algorithm":"sha256","pepper":"{pepper}","addresses":[{hashes}]}}"#);
    let head = format!(
        "POST /_matrix/identity/v2/lookup HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Ok([head.into_bytes(), body.into_bytes()].concat())
}

fn email(number: u32) -> Result<ThirdPartyIdentifier> {
    Ok(EmailAddress::parse(&format!("person{number:08}@example.org"))?.into())
}
