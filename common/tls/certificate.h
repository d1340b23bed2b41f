// X.509 certificates and private keys as values. Immutable after they are made; copies share
// OpenSSL's object, whose reference count is atomic, so any thread may hold one.
#pragma once

#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "common/tls/handles.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aquifer::tls {

/// Certificates live by the wall clock, not by the loop's.
using WallClock = std::chrono::system_clock;
using WallTime = WallClock::time_point;

/// The private half of a key pair. Never logged; to_pem() exists for the CA's key file only.
class PrivateKey {
 public:
  [[nodiscard]] static Result<PrivateKey> generate_p256();
  [[nodiscard]] static Result<PrivateKey> generate_rsa(unsigned bits);
  /// PKCS#8, SEC1 or PKCS#1; a key behind a pass phrase is an error, nobody is asked.
  [[nodiscard]] static Result<PrivateKey> from_pem(std::string_view pem);

  PrivateKey(const PrivateKey& other) noexcept;
  PrivateKey& operator=(const PrivateKey& other) noexcept;
  PrivateKey(PrivateKey&&) noexcept = default;
  PrivateKey& operator=(PrivateKey&&) noexcept = default;
  ~PrivateKey() = default;

  /// PKCS#8, not encrypted.
  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] evp_pkey_st* handle() const noexcept { return key_.get(); }
  explicit PrivateKey(KeyPtr key) noexcept : key_(std::move(key)) {}

 private:
  KeyPtr key_;
};

class Certificate {
 public:
  /// The first certificate in `pem`.
  [[nodiscard]] static Result<Certificate> from_pem(std::string_view pem);
  /// All certificates in `pem`, in order; at least one.
  [[nodiscard]] static Result<std::vector<Certificate>> all_from_pem(std::string_view pem);

  Certificate(const Certificate& other) noexcept;
  Certificate& operator=(const Certificate& other) noexcept;
  Certificate(Certificate&&) noexcept = default;
  Certificate& operator=(Certificate&&) noexcept = default;
  ~Certificate() = default;

  [[nodiscard]] std::string to_pem() const;
  /// The parseable SPIFFE ids among the URI names, in the certificate's order.
  [[nodiscard]] std::vector<SpiffeId> spiffe_ids() const;
  /// Decimal, as the peer's /config_dump prints it.
  [[nodiscard]] std::string serial() const;
  /// "O=cluster.local", for messages.
  [[nodiscard]] std::string subject() const;
  [[nodiscard]] WallTime not_before() const noexcept;
  [[nodiscard]] WallTime not_after() const noexcept;
  /// May sign certificates: basicConstraints CA, and keyUsage keyCertSign if keyUsage is there.
  [[nodiscard]] bool may_sign() const noexcept;
  [[nodiscard]] bool self_issued() const noexcept;
  /// Is `key` the private half of this certificate's key?
  [[nodiscard]] bool belongs_to(const PrivateKey& key) const noexcept;
  /// Was this certificate signed by `issuer`'s key (names and signature; not times)?
  [[nodiscard]] bool issued_by(const Certificate& issuer) const noexcept;

  friend bool operator==(const Certificate& a, const Certificate& b) noexcept;

  [[nodiscard]] x509_st* handle() const noexcept { return certificate_.get(); }
  explicit Certificate(X509Ptr certificate) noexcept : certificate_(std::move(certificate)) {}

 private:
  X509Ptr certificate_;
};

/// What a workload needs to speak for itself: its key, its certificate with the chain behind it,
/// and whom it trusts.
struct CertificateBundle {
  PrivateKey key;
  std::vector<Certificate> chain;  ///< leaf first, then intermediates; roots need not be repeated
  std::vector<Certificate> roots;  ///< trust anchors, all equal

  [[nodiscard]] const Certificate& leaf() const noexcept { return chain.front(); }
};

/// Does the chain verify to one of the bundle's roots at `when`, and does the key match the leaf?
/// The reason, if not, is in last_tls_error_text().
[[nodiscard]] Status verify_bundle(const CertificateBundle& bundle, WallTime when);

}  // namespace aquifer::tls
