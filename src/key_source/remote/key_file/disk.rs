//! Reads and writes the file. These functions block.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use tempfile::Builder;

use crate::key_source::remote::key_file::saved::START;

/// The longest file, in bytes. A set of 256 KiB needs at most twice its length.
const MAX_LENGTH: u64 = 1024 * 1024;
/// How many bytes of `START` show that a file is one of this crate.
const NAME_LENGTH: usize = "tower-jwt-auth keys ".len();

/// The bytes of the file; `None` if there is none.
///
/// # Errors
///
/// When the file cannot be read, or must not be trusted.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    check_trusted(&metadata)?;
    let mut text = Vec::new();
    file.take(MAX_LENGTH.saturating_add(1)).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_LENGTH) {
        return Ok(Some(text));
    }
    Err(io::Error::other("it is longer than 1 MiB"))
}

/// Replaces the file as a whole, or leaves it as it was. A process that is killed in between leaves at most a file
/// with another name, which nothing reads.
///
/// # Errors
///
/// When the file cannot be written, or has other contents than keys.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_LENGTH) {
        return Err(io::Error::other("the set is too long"));
    }
    check_replaceable(path)?;
    replace(path, text)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = Builder::new().prefix(".tower-jwt-auth-keys-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    synchronize(folder);
    Ok(())
}

/// Removes the file, if it is one of this crate.
///
/// # Errors
///
/// When the file cannot be removed, or has other contents than keys.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    check_replaceable(path)?;
    fs::remove_file(path)?;
    synchronize(folder_of(path));
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    // A path without a folder is in the current one.
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder survive a crash of the machine. Not every file system can do this, and the file is whole
/// in any case.
fn synchronize(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Opens a regular file. Opening something else could wait forever (a pipe) or have effects (a device).
fn open(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => check_regular(&metadata)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    File::open(path).map(Some)
}

fn check_regular(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

/// A wrong path must not destroy another file.
fn check_replaceable(path: &Path) -> io::Result<()> {
    let Some(file) = open(path)? else { return Ok(()) };
    let mut start = Vec::new();
    file.take(u64::try_from(START.len()).unwrap_or(u64::MAX)).read_to_end(&mut start)?;
    // Also an empty file, and one that lost its end.
    let is_ours = start.is_empty() || start.len() >= NAME_LENGTH;
    match is_ours && START.as_bytes().starts_with(&start) {
        true => Ok(()),
        false => Err(io::Error::other("it is another file, which is not replaced")),
    }
}

/// Whether only the user of this process, its group and root can have written the file.
#[cfg(unix)]
fn check_trusted(metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    if metadata.mode() & 0o002 != 0 {
        return Err(io::Error::other("everyone can write it"));
    }
    match is_trusted_owner(metadata.uid(), rustix::process::geteuid().as_raw()) {
        true => Ok(()),
        false => Err(io::Error::other("it belongs to another user")),
    }
}

#[cfg(unix)]
fn is_trusted_owner(owner: u32, this_user: u32) -> bool {
    owner == this_user || owner == 0
}

#[cfg(not(unix))]
fn check_trusted(_: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(note: &str) -> String {
        format!("{START}{note}")
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn file_is_replaced_as_a_whole_and_no_other_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        assert!(read(&path).unwrap().is_none());
        for note in ["first", "a second, longer one", "3"] {
            write(&path, &text(note)).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text(note).as_bytes());
        }
        assert_eq!(names(folder.path()), ["keys"]);
    }

    #[test]
    #[cfg(unix)]
    fn file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &text("")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "everyone can write it");
    }

    #[test]
    #[cfg(unix)]
    fn file_of_another_user_is_refused_except_that_of_root() {
        for (owner, this_user, is_trusted) in [
            (1000, 1000, true),
            (0, 1000, true),
            (0, 0, true),
            (1001, 1000, false),
            (1000, 0, false),
        ] {
            assert_eq!(is_trusted_owner(owner, this_user), is_trusted, "{owner} {this_user}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &text("")).unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(54321), None).is_ok() {
            assert_eq!(read(&path).unwrap_err().to_string(), "it belongs to another user");
            // A process that may replace it does so, and the new file is its own.
            write(&path, &text("new")).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text("new").as_bytes());
        }
    }

    #[test]
    fn file_is_removed_only_if_it_is_one_of_this_crate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &text("")).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        assert_eq!(remove(&path).unwrap_err().kind(), ErrorKind::NotFound);
        fs::write(&path, "something else").unwrap();
        remove(&path).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
    }

    #[test]
    fn failed_write_leaves_the_old_file_and_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &text("old")).unwrap();
        let too_long = text(&" ".repeat(1024 * 1024));
        assert_eq!(write(&path, &too_long).unwrap_err().to_string(), "the set is too long");
        assert_eq!(read(&path).unwrap().unwrap(), text("old").as_bytes());
        let nowhere = folder.path().join("no such folder").join("keys");
        assert_eq!(write(&nowhere, &text("new")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(names(folder.path()), ["keys"]);
    }

    #[test]
    fn rename_that_fails_leaves_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        // A folder cannot be replaced by a file.
        fs::create_dir(&path).unwrap();
        replace(&path, &text("new")).unwrap_err();
        assert_eq!(names(folder.path()), ["keys"]);
        assert!(path.is_dir());
    }

    #[test]
    fn other_file_is_neither_read_as_keys_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("precious");
        fs::write(&path, "something else").unwrap();
        let error = write(&path, &text("new")).unwrap_err();
        assert_eq!(error.to_string(), "it is another file, which is not replaced");
        assert_eq!(fs::read_to_string(&path).unwrap(), "something else");
        for truncated in ["", "tower-jwt-auth keys ", "tower-jwt-auth keys 1 sha256:x"] {
            fs::write(&path, truncated).unwrap();
            write(&path, &text("new")).unwrap();
        }
        for other in ["t", "tower-jwt-auth", "tower-jwt-auth keys 2 sha256:x"] {
            fs::write(&path, other).unwrap();
            write(&path, &text("new")).unwrap_err();
        }
    }

    #[test]
    #[cfg(unix)]
    fn symbolic_link_is_followed_neither_to_read_nor_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("keys"), folder.path().join("target"));
        fs::write(&target, text("")).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        for result in [read(&path).map(|_| ()), write(&path, &text("new"))] {
            assert_eq!(result.unwrap_err().to_string(), "it is not a regular file");
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), text(""));
    }

    #[test]
    fn file_that_is_too_long_is_refused_without_reading_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let file = File::create(&path).unwrap();
        // Sparse: it takes no space.
        file.set_len(1 << 40).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "it is longer than 1 MiB");
    }

    /// Its long texts have a first and a last line that tell whether they are whole.
    fn long(number: usize) -> String {
        let filling = " ".repeat(500 * 1024);
        text(&format!("{number}\n{filling}\n{number}"))
    }

    fn assert_whole(text: &[u8]) {
        let text = std::str::from_utf8(text).unwrap().strip_prefix(START).unwrap();
        let (first, last) = (text.lines().next().unwrap(), text.lines().last().unwrap());
        assert!(!first.is_empty() && first == last && text.len() > 500 * 1024);
    }

    #[test]
    fn reader_finds_whole_files_while_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &long(0)).unwrap();
        std::thread::scope(|scope| {
            for writer in 1..3 {
                let path = &path;
                scope.spawn(move || {
                    (0..20).for_each(|n| write(path, &long(10 * n + writer)).unwrap())
                });
            }
            (0..200).for_each(|_| assert_whole(&read(&path).unwrap().unwrap()));
        });
        assert_eq!(names(folder.path()), ["keys"]);
    }

    const CHILD: &str = "TOWER_JWT_AUTH_TEST_WRITES_UNTIL_IT_IS_KILLED";

    #[test]
    fn process_that_is_killed_while_it_writes_leaves_a_whole_file() {
        if let Some(path) = std::env::var_os(CHILD) {
            (0..100_000).for_each(|number| write(Path::new(&path), &long(number)).unwrap());
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, &long(0)).unwrap();
        for millis in 0..20 {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", std::thread::current().name().unwrap()])
                .env(CHILD, &path)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let before = read(&path).unwrap();
            let has_written = (0..3_000).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(10));
                read(&path).unwrap() != before
            });
            assert!(has_written);
            std::thread::sleep(std::time::Duration::from_millis(3 * millis));
            child.kill().unwrap();
            child.wait().unwrap();
            assert_whole(&read(&path).unwrap().unwrap());
        }
    }
}
