#include "config/ca/embedded_ca.h"

#include "common/tls/tls_error.h"
#include "config/ca/ca_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::ca {
namespace {

// Peers whose clock is a little behind must not find the certificate "not yet valid". Istio's CA
// allows as much.
constexpr auto kBackdate = std::chrono::minutes(2);

std::unexpected<CertFailure> no_certificate(const SpiffeId& identity, std::string_view why) {
  return std::unexpected(
      CertFailure{Error(Errc::identity, ErrorSource::config, "signing a certificate"),
                  fmt::format("no certificate for {}: {}", identity.to_string(), why)});
}

}  // namespace

EmbeddedCa::EmbeddedCa(EmbeddedCaOptions options, CaMaterial material)
    : options_(std::move(options)), material_(std::move(material)) {}

std::expected<std::unique_ptr<EmbeddedCa>, CertFailure> EmbeddedCa::open(
    EmbeddedCaOptions options) {
  auto material = load_ca(options.directory, options.trust_domain, options.now());
  if (!material) return std::unexpected(std::move(material.error()));
  return std::unique_ptr<EmbeddedCa>(new EmbeddedCa(std::move(options), std::move(*material)));
}

CertResult EmbeddedCa::sign(const SpiffeId& identity) const {
  const tls::WallTime now = options_.now();
  const tls::WallTime ca_end = material_.signer.certificate.not_after();
  if (now >= ca_end) return no_certificate(identity, "the CA's own certificate has expired");
  auto key = tls::PrivateKey::generate_p256();
  if (!key) return no_certificate(identity, tls::last_tls_error_text());
  // A leaf that outlives its CA would only look valid.
  const tls::LeafTerms terms{identity.to_string(), now - kBackdate,
                             std::min(now + options_.leaf_lifetime, ca_end),
                             tls::LeafUsage::client_and_server};
  auto leaf = tls::issue_leaf(material_.signer, *key, terms);
  if (!leaf) return no_certificate(identity, tls::last_tls_error_text());
  tls::CertificateBundle bundle{std::move(*key), {std::move(*leaf)}, material_.roots};
  bundle.chain.insert(bundle.chain.end(), material_.intermediates.begin(),
                      material_.intermediates.end());
  return bundle;
}

void EmbeddedCa::request(const SpiffeId& identity, Done done) {
  done(sign(identity));
}

}  // namespace aquifer::ca
