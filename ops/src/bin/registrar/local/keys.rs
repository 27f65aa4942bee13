//! The secrets of a local instance: drawn once, private files under `keys/`, handed to the processes by path.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose};
use ops::{config::Secret, tokens};

use super::{Error, files, project::Instance};

/// The files that the processes read their secrets from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Wraps the keys of the persons in the log.
    pub master_key: PathBuf,
    /// Signs access tokens.
    pub signing_key: PathBuf,
    /// The public half of it.
    pub jwks: PathBuf,
    /// Lets the first account be made.
    pub bootstrap_token: PathBuf,
}

impl Keys {
    /// The instance's keys, drawn where they are missing.
    pub fn prepare(instance: &Instance) -> Result<Self, Error> {
        let folder = instance.path("keys");
        files::folder(&folder, 0o700)?;
        Self::draw(&folder)
    }

    /// The keys in a folder, drawn where they are missing.
    pub fn draw(folder: &Path) -> Result<Self, Error> {
        let keys = Self {
            master_key: folder.join("master.key"),
            signing_key: folder.join("signing.pem"),
            jwks: folder.join("jwks.json"),
            bootstrap_token: folder.join("bootstrap.token"),
        };
        if !keys.master_key.exists() {
            let key: [u8; 32] = rand::random();
            files::write_private(&keys.master_key, general_purpose::STANDARD.encode(key).as_bytes())?;
        }
        if !keys.bootstrap_token.exists() {
            files::write_private(&keys.bootstrap_token, password().as_bytes())?;
        }
        // The public half is written last, so it tells that the pair is whole.
        if !keys.jwks.exists() {
            let unusable = |source| Error::Key { path: keys.signing_key.clone(), source };
            let pem = tokens::generate_signing_key_pem().map_err(unusable)?;
            let signer = tokens::Signer::from_pem(&pem, "registrar", "registrar", std::time::Duration::from_mins(1));
            let jwks = signer.map_err(unusable)?.jwks();
            files::write_private(&keys.signing_key, pem.expose().as_bytes())?;
            files::write_json(&keys.jwks, &jwks)?;
        }
        Ok(keys)
    }

    /// The bootstrap token itself.
    pub fn read_bootstrap_token(&self) -> Result<String, Error> {
        std::fs::read_to_string(&self.bootstrap_token).map_err(files::failed("read", &self.bootstrap_token))
    }
}

/// A change of the signing key, in two steps: its public half is made known, and then it signs.
#[derive(Debug)]
pub struct Rotation {
    /// Where the next key waits.
    next: PathBuf,
    signing_key: PathBuf,
    jwks_path: PathBuf,
    jwks: tokens::Jwks,
    kid: String,
}

impl Rotation {
    /// Draws the next key, unless one waits already, and makes its public half known.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        let (next, signing_key, jwks_path) =
            (folder.join("next.pem"), folder.join("signing.pem"), folder.join("jwks.json"));
        let known: tokens::Jwks = files::find_json(&jwks_path)?.unwrap_or_default();
        let unusable = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Key { path, source }
        };
        // The key that signs has to be known, also when somebody brought it from elsewhere.
        let current = public_half(&read_pem(&signing_key)?).map_err(unusable(&signing_key))?;
        if !next.exists() {
            let pem = tokens::generate_signing_key_pem().map_err(unusable(&next))?;
            files::write_private(&next, pem.expose().as_bytes())?;
        }
        let following = public_half(&read_pem(&next)?).map_err(unusable(&next))?;
        let kid = following.keys.first().map(|key| key.kid.clone()).unwrap_or_default();
        let jwks = known.and(current).and(following);
        files::write_json(&jwks_path, &jwks)?;
        Ok(Self { next, signing_key, jwks_path, jwks, kid })
    }

    /// The id of the key that comes.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Lets the next key sign from `now` on, in seconds since 1970, and retires the others.
    pub fn finish(self, now: i64) -> Result<(), Error> {
        std::fs::rename(&self.next, &self.signing_key).map_err(files::failed("replace", &self.signing_key))?;
        let mut jwks = self.jwks;
        // The processes change within a second or two: what the key before signs until then is good too.
        jwks.retire_others(&self.kid, now + 5);
        files::write_json(&self.jwks_path, &jwks)
    }
}

fn read_pem(path: &Path) -> Result<Secret, Error> {
    Ok(Secret::new(std::fs::read_to_string(path).map_err(files::failed("read", path))?))
}

fn public_half(pem: &Secret) -> Result<tokens::Jwks, tokens::KeyError> {
    let signer = tokens::Signer::from_pem(pem, "registrar", "registrar", std::time::Duration::from_mins(1))?;
    Ok(signer.jwks())
}

/// A password of 192 random bits, in characters that need no quoting in URLs, SQL and shells.
pub fn password() -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keys-{}", uuid::Uuid::new_v4()));
        files::folder(&folder, 0o700).unwrap();
        folder
    }

    fn known(keys: &Keys) -> Vec<(String, Option<i64>)> {
        let jwks: tokens::Jwks = files::find_json(&keys.jwks).unwrap().unwrap();
        jwks.keys.into_iter().map(|key| (key.kid, key.retired)).collect()
    }

    #[test]
    fn a_key_is_known_before_it_signs_and_after_it_signed() {
        let folder = folder();
        let keys = Keys::draw(&folder).unwrap();
        let first = known(&keys)[0].0.clone();
        let before = std::fs::read(&keys.signing_key).unwrap();

        let rotation = Rotation::begin(&folder).unwrap();
        let second = rotation.kid().to_owned();
        assert_eq!(known(&keys), [(first.clone(), None), (second.clone(), None)]);
        assert_eq!(std::fs::read(&keys.signing_key).unwrap(), before);

        // Cut short, it goes on with the same key.
        let rotation = Rotation::begin(&folder).unwrap();
        assert_eq!(rotation.kid(), second);
        rotation.finish(1_000).unwrap();
        assert_eq!(known(&keys), [(first, Some(1_005)), (second.clone(), None)]);
        assert_eq!(public_half(&read_pem(&keys.signing_key).unwrap()).unwrap().keys[0].kid, second);

        // An hour later, the first is of no use to anybody.
        let rotation = Rotation::begin(&folder).unwrap();
        let third = rotation.kid().to_owned();
        rotation.finish(10_000).unwrap();
        assert_eq!(known(&keys), [(second, Some(10_005)), (third, None)]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
