use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The exchange that puts events into partitions.
pub(super) const HASHING_EXCHANGE: &str = "rabbitmq_consistent_hash_exchange";

/// Plugins that need no other plugin.
const STANDALONE: [&str; 2] = [HASHING_EXCHANGE, "rabbitmq_sharding"];

/// What each server loads, plugin or not. Its plugins have `rabbitmq_` in their names.
const PRELAUNCH: &str = "rabbitmq_prelaunch";

/// Where Debian's package has a folder for each version, with the libraries and the plugins.
const VERSIONS: &str = "/usr/lib/rabbitmq/lib";

/// Where Debian's package has the libraries of Erlang.
const ERLANG: &str = "/usr/lib/erlang/lib";

/// The library of all modules. Erlang searches the last one by name first.
const ALL_MODULES: &str = "zz-1";

/// Links what a server with these plugins needs into a folder, if it is known where that is and which: a server looks
/// into each plugin that it finds, and starts in two thirds of the processor time without the others.
///
/// All modules are linked into one library, too. Erlang tries to open a file in each library until it finds a module,
/// and hands each attempt to another thread: a server starts in half of the processor time where the first has it.
pub(super) fn link(place: &Path, plugins: &[String]) -> io::Result<()> {
    let are_known = plugins.iter().all(|name| STANDALONE.contains(&&**name));
    let Some(all) = libraries().filter(|_| are_known) else {
        return Ok(());
    };
    let modules = place.join(ALL_MODULES).join("ebin");
    fs::create_dir_all(&modules)?;
    for library in fs::read_dir(all)? {
        let library = library?;
        let file = library.file_name();
        let name = file.to_str().and_then(|name| name.split('-').next());
        if is_needed(name.unwrap_or_default(), plugins) {
            symlink(library.path(), place.join(&file))?;
            link_modules(&library.path(), &modules)?;
        }
    }
    if let Ok(libraries) = fs::read_dir(ERLANG) {
        for library in libraries {
            link_modules(&library?.path(), &modules)?;
        }
    }
    Ok(())
}

fn libraries() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?;
    let mut places = versions
        .flatten()
        .map(|version| version.path().join("plugins"));
    places.find(|place| place.is_dir())
}

fn is_needed(name: &str, plugins: &[String]) -> bool {
    !name.starts_with("rabbitmq_")
        || name == PRELAUNCH
        || plugins.iter().any(|plugin| plugin == name)
}

/// Links the modules of a library; of two with the same name, the first.
fn link_modules(library: &Path, place: &Path) -> io::Result<()> {
    // Beside the libraries there is a file that describes them.
    let Ok(modules) = fs::read_dir(library.join("ebin")) else {
        return Ok(());
    };
    for module in modules {
        let module = module?;
        match symlink(module.path(), place.join(module.file_name())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
