//! Rows and the lists in them.

use sqlx::any::AnyRow;
use sqlx::{Decode, Row, Type};

use crate::store::StoreError;

/// A value of a row, by the name of its column.
pub(super) fn get<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, sqlx::Any> + Type<sqlx::Any>,
{
    Ok(row.try_get(column)?)
}

/// A list that is stored as one text.
pub(super) fn list(row: &AnyRow, column: &'static str) -> Result<Vec<String>, StoreError> {
    let text: String = get(row, column)?;
    Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
}

/// The text of a list. The items contain no white space.
pub(super) fn text(items: &[String]) -> String {
    items.join(" ")
}
