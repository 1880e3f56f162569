//! Apache Parquet, by columns: small on disk, and read by DuckDB, pandas, Spark and warehouses without a schema beside it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::{Line, Sink};

/// The columns, by the names of the fields of JSON.
const SCHEMA: &str = "
message exposure {
  required binary campaign (STRING);
  required binary placement (STRING);
  required int64 seed;
  required binary segment (STRING);
  required int32 round (INTEGER(32,false));
  required binary variant (STRING);
  required double probability;
  required binary subject (STRING);
  required int64 decidedAt (TIMESTAMP(MILLIS,true));
  required int64 exposedAt (TIMESTAMP(MILLIS,true));
  required double reward;
}";

/// Raise it when a column changes its meaning or goes; one more column leaves it.
const SCHEMA_VERSION: &str = "1";

/// Rows that are in memory before they are written: some ten megabytes, and large enough that readers seldom seek.
const GROUP_ROWS: usize = 1 << 16;

pub(super) struct Parquet {
    file: SerializedFileWriter<File>,
    rows: Rows,
}

impl Parquet {
    pub(super) fn new(to: File) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(SCHEMA).expect("the schema is well formed"));
        let file = SerializedFileWriter::new(to, schema, properties()).map_err(io_error)?;
        Ok(Self { file, rows: Rows::default() })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.seed.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        std::mem::take(&mut self.rows).write(&mut group)?;
        group.close().map(drop)
    }
}

impl Sink for Parquet {
    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.rows.push(line);
        if self.rows.seed.len() < GROUP_ROWS { Ok(()) } else { self.write_group().map_err(io_error) }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.write_group().map_err(io_error)?;
        self.file.finish().map(drop).map_err(io_error)
    }
}

fn properties() -> WriterPropertiesPtr {
    let version = KeyValue::new("broadside.exposures.version".to_owned(), SCHEMA_VERSION.to_owned());
    let properties = WriterProperties::builder()
        .set_created_by(concat!("broadside ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        // Each subject stands there about once: a dictionary would hold them all, and be given up.
        .set_column_dictionary_enabled(ColumnPath::from("subject"), false)
        .set_key_value_metadata(Some(vec![version]));
    Arc::new(properties.build())
}

/// Rows of one group, by columns.
#[derive(Default)]
struct Rows {
    campaign: Vec<ByteArray>,
    placement: Vec<ByteArray>,
    seed: Vec<i64>,
    segment: Vec<ByteArray>,
    round: Vec<i32>,
    variant: Vec<ByteArray>,
    probability: Vec<f64>,
    subject: Vec<ByteArray>,
    decided_at: Vec<i64>,
    exposed_at: Vec<i64>,
    reward: Vec<f64>,
}

impl Rows {
    fn push(&mut self, line: &Line<'_>) {
        let Line { campaign, placement, seed, segment, round, variant, .. } = line;
        let Line { probability, subject, decided_at, exposed_at, reward, .. } = line;
        push(&mut self.campaign, campaign);
        push(&mut self.placement, placement);
        self.seed.push(*seed);
        push(&mut self.segment, segment);
        // Unsigned numbers are stored as signed ones of the same bits.
        self.round.push(round.cast_signed());
        push(&mut self.variant, variant);
        self.probability.push(*probability);
        push(&mut self.subject, subject);
        self.decided_at.push(decided_at.as_millisecond());
        self.exposed_at.push(exposed_at.as_millisecond());
        self.reward.push(*reward);
    }

    /// In the order of the schema.
    fn write(self, to: &mut SerializedRowGroupWriter<'_, File>) -> Result<(), ParquetError> {
        let Self { campaign, placement, seed, segment, round, variant, .. } = &self;
        let Self { probability, subject, decided_at, exposed_at, reward, .. } = &self;
        write::<ByteArrayType>(to, campaign)?;
        write::<ByteArrayType>(to, placement)?;
        write::<Int64Type>(to, seed)?;
        write::<ByteArrayType>(to, segment)?;
        write::<Int32Type>(to, round)?;
        write::<ByteArrayType>(to, variant)?;
        write::<DoubleType>(to, probability)?;
        write::<ByteArrayType>(to, subject)?;
        write::<Int64Type>(to, decided_at)?;
        write::<Int64Type>(to, exposed_at)?;
        write::<DoubleType>(to, reward)
    }
}

/// One after the other are mostly the same, and then share their bytes.
fn push(column: &mut Vec<ByteArray>, text: &str) {
    let same = column.last().filter(|last| last.data() == text.as_bytes()).cloned();
    column.push(same.unwrap_or_else(|| ByteArray::from(text)));
}

fn write<T: DataType>(
    to: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let mut column = to.next_column()?.expect("there are as many columns as fields");
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// What the disk said, where it was the disk.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
