// WorkloadCert: what a connection needs to speak for one identity. An immutable snapshot, shared by
// all threads.
#pragma once

#include "common/base/spiffe.h"
#include "common/tls/context.h"
#include "config/ca/cert_source.h"

#include <expected>
#include <memory>

namespace aquifer::ca {

struct WorkloadCert {
  SpiffeId identity;
  std::shared_ptr<const tls::ServerContext> server;
  std::shared_ptr<const tls::ClientContext> client;
  tls::CertificateBundle bundle;
  tls::WallTime not_before;
  tls::WallTime not_after;
};

using WorkloadCertPtr = std::shared_ptr<const WorkloadCert>;

/// What subscribers are told. A certificate; or a failure while there is no valid one; or null:
/// nobody on this node wants the identity any more.
struct CertUpdate {
  SpiffeId identity;
  std::expected<WorkloadCertPtr, Error> state;
};

}  // namespace aquifer::ca
