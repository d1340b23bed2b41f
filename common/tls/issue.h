// Making certificates: requests, and what a CA signs. Used by config/ca and by tests.
#pragma once

#include "common/tls/certificate.h"

#include <chrono>
#include <string>
#include <string_view>

namespace aquifer::tls {

/// A certificate signing request with an empty subject and one critical subjectAltName: the SPIFFE
/// URI.
[[nodiscard]] Result<std::string> make_request_pem(const PrivateKey& key, const SpiffeId& identity);

/// Which extended key usages a leaf carries.
enum class LeafUsage : std::uint8_t { client_and_server, client_only, server_only, unrestricted };

struct LeafTerms {
  std::string uri;  ///< subjectAltName; a string so that tests can ask for what is no SPIFFE id
  WallTime not_before;
  WallTime not_after;
  LeafUsage usage = LeafUsage::client_and_server;
};

/// A CA's certificate and key: signs leaves.
struct Signer {
  Certificate certificate;
  PrivateKey key;
};

/// A leaf for `subject_key` signed by `signer`: empty subject, critical URI name, random 127-bit
/// serial.
[[nodiscard]] Result<Certificate> issue_leaf(const Signer& signer, const PrivateKey& subject_key,
                                             const LeafTerms& terms);

struct CaTerms {
  std::string organization;  ///< subject O=
  std::string common_name;   ///< subject CN=, may be empty
  WallTime not_before;
  WallTime not_after;
  std::string uri;  ///< subjectAltName, usually empty
};

/// A root: self-signed, basicConstraints CA critical, keyCertSign and cRLSign.
[[nodiscard]] Result<Certificate> issue_root(const PrivateKey& key, const CaTerms& terms);
/// A CA below `signer`.
[[nodiscard]] Result<Certificate> issue_intermediate(const Signer& signer, const PrivateKey& key,
                                                     const CaTerms& terms);

}  // namespace aquifer::tls
