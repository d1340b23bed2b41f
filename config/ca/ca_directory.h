// What a CA directory holds, read and checked: whose key signs, what is sent behind each leaf, and
// who is trusted. Control thread, at start.
#pragma once

#include "common/tls/issue.h"
#include "config/ca/cert_source.h"

#include <expected>
#include <string>
#include <vector>

namespace aquifer::ca {

struct CaMaterial {
  tls::Signer signer;
  std::vector<tls::Certificate>
      intermediates;  ///< sent behind each leaf, signer first; empty for a root
  std::vector<tls::Certificate> roots;
  std::vector<std::string> warnings;
};

/// The user's CA if any of Istio's file names is there, else ours, made if need be. Says file and
/// mend when it cannot.
[[nodiscard]] std::expected<CaMaterial, CertFailure> load_ca(const std::string& directory,
                                                             const std::string& trust_domain,
                                                             tls::WallTime now);

}  // namespace aquifer::ca
