// EmbeddedCa: the CA of --ca-dir. Makes its own root there at first use, or signs with the user's
// own CA found there under the names of Istio's `cacerts` secret. Control thread. Whoever can read
// the directory can mint any identity.
#pragma once

#include "config/ca/ca_directory.h"
#include "config/ca/cert_source.h"

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace aquifer::ca {

struct EmbeddedCaOptions {
  std::string directory;                       ///< --ca-dir
  std::string trust_domain = "cluster.local";  ///< the root's organization, for people
  std::chrono::seconds leaf_lifetime{86400};   ///< SECRET_TTL
  std::function<tls::WallTime()> now = [] { return tls::WallClock::now(); };
};

class EmbeddedCa final : public CertSource {
 public:
  /// Reads or makes the CA. Blocks on files and a lock for at most a moment: call it at start, not
  /// from a loop.
  [[nodiscard]] static std::expected<std::unique_ptr<EmbeddedCa>, CertFailure> open(
      EmbeddedCaOptions options);

  /// Signs at once (about 0.1 ms) and calls `done` before it returns.
  void request(const SpiffeId& identity, Done done) override;

  [[nodiscard]] const std::vector<tls::Certificate>& roots() const noexcept {
    return material_.roots;
  }
  [[nodiscard]] const tls::Signer& signer() const noexcept { return material_.signer; }
  /// Sentences for the log: loose permissions, a CA that ends soon.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept {
    return material_.warnings;
  }

 private:
  EmbeddedCa(EmbeddedCaOptions options, CaMaterial material);
  [[nodiscard]] CertResult sign(const SpiffeId& identity) const;

  EmbeddedCaOptions options_;
  CaMaterial material_;
};

}  // namespace aquifer::ca
