// EmbeddedCa: the CA of --ca-dir. Makes its own root there at first use, or signs with the user's
// own CA found there under the names of Istio's `cacerts` secret. Control thread. Whoever can read
// the directory can mint any identity.
#pragma once

#include "common/tls/issue.h"
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

  [[nodiscard]] const std::vector<tls::Certificate>& roots() const noexcept { return roots_; }
  [[nodiscard]] const tls::Signer& signer() const noexcept { return signer_; }
  /// Sentences for the log: loose permissions, a CA that ends soon.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  EmbeddedCa(EmbeddedCaOptions options, tls::Signer signer,
             std::vector<tls::Certificate> intermediates, std::vector<tls::Certificate> roots,
             std::vector<std::string> warnings);

  EmbeddedCaOptions options_;
  tls::Signer signer_;
  std::vector<tls::Certificate> intermediates_;  // sent behind each leaf, signer first
  std::vector<tls::Certificate> roots_;
  std::vector<std::string> warnings_;
};

}  // namespace aquifer::ca
