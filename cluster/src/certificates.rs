//! One certificate authority per cluster, and every identity that it signs.
//!
//! Keys are ECDSA P-256, made anew at each start and gone with the cluster's folder.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// A certificate and its private key, both PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Who a client is to the API server: the common name is the user, the organization the group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) user: &'a str,
    pub(crate) group: Option<&'a str>,
}

/// Signs the identities of one cluster.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority, trusted by nobody else.
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = name(Subject { user: "broadside-cluster", group: None });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// The authority's own certificate, PEM.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// An identity with which a client logs in.
    pub(crate) fn client(&self, subject: Subject<'_>) -> Result<Identity, rcgen::Error> {
        self.sign(subject, &[], &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    /// An identity for a server known by `hosts`, names or addresses. It may act as a client too, as etcd asks of the
    /// certificate that it serves.
    pub(crate) fn server(&self, user: &str, hosts: &[String]) -> Result<Identity, rcgen::Error> {
        let uses = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(Subject { user, group: None }, hosts, &uses)
    }

    fn sign(
        &self,
        subject: Subject<'_>,
        hosts: &[String],
        uses: &[ExtendedKeyUsagePurpose],
    ) -> Result<Identity, rcgen::Error> {
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = name(subject);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = uses.to_vec();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The pair of keys that signs and proves service account tokens: private and public, PEM.
pub(crate) fn signing_keys() -> Result<(String, String), rcgen::Error> {
    let pair = KeyPair::generate()?;
    Ok((pair.serialize_pem(), pair.public_key_pem()))
}

fn name(subject: Subject<'_>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject.user);
    if let Some(group) = subject.group {
        name.push(DnType::OrganizationName, group);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_pem_and_differ() {
        let authority = Authority::new().unwrap();
        let admin = Subject { user: "admin", group: Some("system:masters") };
        let one = authority.client(admin).unwrap();
        let two = authority.client(admin).unwrap();
        assert!(one.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(one.key.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert_ne!(one.key, two.key);
    }
}
