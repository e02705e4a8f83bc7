//! Statements and their parameters, each with its type, so that no statement needs a round trip to learn them.

use tokio_postgres::types::{ToSql, Type};

/// A statement with what fills its gaps.
pub(super) struct Query<'a> {
    pub(super) sql: &'static str,
    pub(super) parameters: Vec<(Box<dyn ToSql + Sync + Send + 'a>, Type)>,
}

impl<'a> Query<'a> {
    /// A statement without gaps, so far.
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql, parameters: Vec::new() }
    }

    /// Fills the next gap.
    pub(super) fn with<P: Parameter + 'a>(mut self, parameter: P) -> Self {
        self.parameters.push((Box::new(parameter), P::TYPE));
        self
    }

    /// The types of the gaps.
    pub(super) fn types(&self) -> Vec<Type> {
        self.parameters.iter().map(|(_, of_type)| of_type.clone()).collect()
    }
}

/// A value that fills a gap in a statement.
pub(super) trait Parameter: ToSql + Sync + Send {
    /// What PostgreSQL calls its type.
    const TYPE: Type;
}

/// Says for a type, and for it where it may be null, what PostgreSQL calls it and an array of it.
macro_rules! parameters {
    ($($rust:ty: $single:ident, $array:ident;)+) => {
        $(
            impl Parameter for $rust {
                const TYPE: Type = Type::$single;
            }
            impl Parameter for Option<$rust> {
                const TYPE: Type = Type::$single;
            }
            impl Parameter for Vec<$rust> {
                const TYPE: Type = Type::$array;
            }
            impl Parameter for Vec<Option<$rust>> {
                const TYPE: Type = Type::$array;
            }
        )+
    };
}

parameters! {
    i64: INT8, INT8_ARRAY;
    bool: BOOL, BOOL_ARRAY;
    &str: TEXT, TEXT_ARRAY;
    &[u8]: BYTEA, BYTEA_ARRAY;
}
