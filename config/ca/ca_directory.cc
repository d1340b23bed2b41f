#include "config/ca/ca_directory.h"

#include "common/tls/tls_error.h"
#include "config/ca/ca_files.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace aquifer::ca {
namespace {

using tls::Certificate;
using tls::PrivateKey;
using tls::WallTime;

template <typename T>
using CaResult = std::expected<T, CertFailure>;

// Ours: key and certificate in one file, so that one rename puts both in place.
constexpr const char* kOwnName = "aquifer-ca.pem";
// A public copy for people and for other programs that must trust the mesh; nobody of ours reads
// it.
constexpr const char* kOwnRootName = "aquifer-root-cert.pem";
constexpr auto kOwnLifetime = std::chrono::years(10);
// Nodes share the directory and not always the time of day.
constexpr auto kBackdate = std::chrono::hours(1);
constexpr auto kEndsSoon = std::chrono::days(30);

std::string date(WallTime time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(tls::WallClock::to_time_t(time)));
}

std::unexpected<CertFailure> refused(std::string text) {
  return ca_failure(Errc::invalid, "CA directory", std::move(text));
}

CaResult<std::vector<Certificate>> certificates_in(const std::string& path,
                                                   const std::string& text) {
  auto all = Certificate::all_from_pem(text);
  if (all) return std::move(*all);
  return refused(
      fmt::format("{}: holds no readable PEM certificate ({})", path, tls::last_tls_error_text()));
}

CaResult<PrivateKey> key_in(const std::string& path, const std::string& text) {
  auto key = PrivateKey::from_pem(text);
  if (key) return std::move(*key);
  return refused(fmt::format("{}: holds no readable PEM private key without a pass phrase ({})",
                             path, tls::last_tls_error_text()));
}

CaResult<void> check_signer(const std::string& cert_path, const std::string& key_path,
                            const tls::Signer& signer, WallTime now,
                            std::vector<std::string>& warnings) {
  const Certificate& certificate = signer.certificate;
  if (!certificate.belongs_to(signer.key)) {
    return refused(fmt::format("{}: is not the key of {}; put the two files of one CA there",
                               key_path, cert_path));
  }
  if (!certificate.may_sign()) {
    return refused(
        fmt::format("{}: is not a CA certificate (basicConstraints CA and keyUsage keyCertSign); "
                    "leaf certificates cannot sign",
                    cert_path));
  }
  if (now >= certificate.not_after()) {
    return refused(fmt::format("{}: expired on {}; replace it, or remove it to have a new CA made",
                               cert_path, date(certificate.not_after())));
  }
  if (now < certificate.not_before()) {
    return refused(fmt::format("{}: is not valid before {}; check this machine's clock", cert_path,
                               date(certificate.not_before())));
  }
  if (certificate.not_after() - now < kEndsSoon) {
    warnings.push_back(
        fmt::format("{}: ends on {}; replace it before", cert_path, date(certificate.not_after())));
  }
  if (readable_by_others(key_path)) {
    warnings.push_back(fmt::format(
        "{}: can be read by other users, who could then be any workload; chmod 600 it", key_path));
  }
  return {};
}

/// The names of Istio's `cacerts` secret.
struct UserFiles {
  explicit UserFiles(const std::string& directory)
      : cert(directory + "/ca-cert.pem"),
        key(directory + "/ca-key.pem"),
        chain(directory + "/cert-chain.pem"),
        root(directory + "/root-cert.pem") {}
  std::string cert, key, chain, root;
  std::optional<std::string> cert_text, key_text, chain_text, root_text;

  CaResult<void> read();
};

CaResult<void> UserFiles::read() {
  for (auto [path, text] : {std::pair{&cert, &cert_text},
                            {&key, &key_text},
                            {&chain, &chain_text},
                            {&root, &root_text}}) {
    auto found = read_ca_file(*path);
    if (!found) return std::unexpected(found.error());
    *text = std::move(*found);
  }
  return {};
}

// Behind each leaf: the signer, then what leads from it to a root. A root itself need not be sent.
CaResult<std::vector<Certificate>> intermediates_of(const UserFiles& files,
                                                    const Certificate& signer,
                                                    const std::vector<Certificate>& roots) {
  std::vector<Certificate> between;
  const auto is_root = [&](const Certificate& c) {
    return std::ranges::find(roots, c) != roots.end();
  };
  if (is_root(signer)) return between;
  between.push_back(signer);
  // Istio's examples write the signer and the root into cert-chain.pem as well.
  if (!files.chain_text) return between;
  auto chain = certificates_in(files.chain, *files.chain_text);
  if (!chain) return std::unexpected(chain.error());
  for (Certificate& certificate : *chain) {
    if (certificate == signer || certificate.self_issued() || is_root(certificate)) continue;
    between.push_back(std::move(certificate));
  }
  return between;
}

// Tried with a leaf of its own, rather than argued about.
CaResult<void> check_chain(const UserFiles& files, const CaMaterial& material, WallTime now) {
  auto key = PrivateKey::generate_p256();
  if (!key) return ca_failure(key.error().code, "CA directory", tls::last_tls_error_text());
  const tls::LeafTerms terms{"spiffe://probe/ns/probe/sa/probe", now, now + std::chrono::hours(1),
                             tls::LeafUsage::client_and_server};
  auto leaf = tls::issue_leaf(material.signer, *key, terms);
  if (!leaf)
    return refused(fmt::format("{}: cannot sign ({})", files.key, tls::last_tls_error_text()));
  tls::CertificateBundle bundle{std::move(*key), {std::move(*leaf)}, material.roots};
  bundle.chain.insert(bundle.chain.end(), material.intermediates.begin(),
                      material.intermediates.end());
  if (tls::verify_bundle(bundle, now)) return {};
  return refused(
      fmt::format("{}: does not lead to a certificate in {} ({}); put the intermediates into {}",
                  files.cert, files.root, tls::last_tls_error_text(), files.chain));
}

CaResult<CaMaterial> load_user_ca(const UserFiles& files, WallTime now) {
  if (!files.cert_text || !files.key_text) {
    const auto& [there, missing] = files.cert_text ? std::pair(files.cert, files.key)
                                                   : std::pair(files.key_text    ? files.key
                                                               : files.root_text ? files.root
                                                                                 : files.chain,
                                                               files.cert);
    return refused(fmt::format(
        "{}: is missing, though {} is there; add it, or remove the other to have a CA made",
        missing, there));
  }
  auto signers = certificates_in(files.cert, *files.cert_text);
  if (!signers) return std::unexpected(signers.error());
  auto key = key_in(files.key, *files.key_text);
  if (!key) return std::unexpected(key.error());
  CaMaterial material{{std::move(signers->front()), std::move(*key)}, {}, {}, {}};
  auto fit = check_signer(files.cert, files.key, material.signer, now, material.warnings);
  if (!fit) return std::unexpected(fit.error());

  if (files.root_text) {
    auto roots = certificates_in(files.root, *files.root_text);
    if (!roots) return std::unexpected(roots.error());
    material.roots = std::move(*roots);
  } else if (material.signer.certificate.self_issued()) {
    material.roots = {material.signer.certificate};
  } else {
    return refused(fmt::format("{}: is missing, and {} is not a root itself; put the root there",
                               files.root, files.cert));
  }
  auto between = intermediates_of(files, material.signer.certificate, material.roots);
  if (!between) return std::unexpected(between.error());
  material.intermediates = std::move(*between);
  auto chain = check_chain(files, material, now);
  if (!chain) return std::unexpected(chain.error());
  return material;
}

CaResult<CaMaterial> parse_own(const std::string& path, const std::string& text, WallTime now) {
  auto certificates = certificates_in(path, text);
  if (!certificates) return std::unexpected(certificates.error());
  auto key = key_in(path, text);
  if (!key) return std::unexpected(key.error());
  CaMaterial material{{certificates->front(), std::move(*key)}, {}, {certificates->front()}, {}};
  auto fit = check_signer(path, path, material.signer, now, material.warnings);
  if (!fit) return std::unexpected(fit.error());
  return material;
}

CaResult<std::string> make_own(const std::string& directory, const std::string& trust_domain,
                               WallTime now) {
  auto key = PrivateKey::generate_p256();
  if (!key) return ca_failure(key.error().code, "making a CA", tls::last_tls_error_text());
  const tls::CaTerms terms{trust_domain, "Aquifer root", now - kBackdate, now + kOwnLifetime, ""};
  auto certificate = tls::issue_root(*key, terms);
  if (!certificate)
    return ca_failure(certificate.error().code, "making a CA", tls::last_tls_error_text());
  auto text = certificate->to_pem() + key->to_pem();
  auto written = write_ca_file(directory + "/" + kOwnName, text, 0600);
  if (written) written = write_ca_file(directory + "/" + kOwnRootName, certificate->to_pem(), 0644);
  if (!written) return std::unexpected(written.error());
  return text;
}

CaResult<CaMaterial> load_own_ca(const std::string& directory, const std::string& trust_domain,
                                 WallTime now) {
  const std::string path = directory + "/" + kOwnName;
  // Without the lock first: the usual case, and a directory mounted read-only.
  auto text = read_ca_file(path);
  if (!text) return std::unexpected(text.error());
  if (*text) return parse_own(path, **text, now);
  auto made = make_ca_directory(directory);
  if (!made) return std::unexpected(made.error());
  auto lock = lock_ca_directory(directory);
  if (!lock) return std::unexpected(lock.error());
  // Again: another process may have made it while we waited.
  text = read_ca_file(path);
  if (!text) return std::unexpected(text.error());
  if (*text) return parse_own(path, **text, now);
  auto fresh = make_own(directory, trust_domain, now);
  if (!fresh) return std::unexpected(fresh.error());
  return parse_own(path, *fresh, now);
}

}  // namespace

CaResult<CaMaterial> load_ca(const std::string& directory, const std::string& trust_domain,
                             WallTime now) {
  UserFiles files(directory);
  auto read = files.read();
  if (!read) return std::unexpected(read.error());
  const bool users = files.cert_text || files.key_text || files.chain_text || files.root_text;
  return users ? load_user_ca(files, now) : load_own_ca(directory, trust_domain, now);
}

}  // namespace aquifer::ca
