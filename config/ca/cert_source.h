// CertSource: where certificates come from. The embedded CA, later istiod's. A seam of the control
// thread.
#pragma once

#include "common/base/result.h"
#include "common/base/spiffe.h"
#include "common/tls/certificate.h"

#include <expected>
#include <functional>
#include <string>

namespace aquifer::ca {

/// Why there is no certificate: the code for programs, a sentence that names file and mend for
/// people.
struct CertFailure {
  Error error;
  std::string text;
};

using CertResult = std::expected<tls::CertificateBundle, CertFailure>;

class CertSource {
 public:
  using Done = std::function<void(CertResult)>;

  CertSource() = default;
  CertSource(const CertSource&) = delete;
  CertSource& operator=(const CertSource&) = delete;
  virtual ~CertSource() = default;

  /// Asks for a fresh key and certificate for `identity`. `done` is called once, on the control
  /// thread, now or later, and not after the source is gone.
  virtual void request(const SpiffeId& identity, Done done) = 0;
};

}  // namespace aquifer::ca
