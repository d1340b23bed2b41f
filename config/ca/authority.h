// Authority: the CA of --ca-dir and the certificates that it signs for this process, as both
// programs start them and keep them up to date. Control thread.
#pragma once

#include "common/coro/cancel.h"
#include "common/coro/task.h"
#include "common/io/loop.h"
#include "config/ca/cert_manager.h"
#include "config/ca/embedded_ca.h"

#include <expected>
#include <memory>
#include <string>

namespace aquifer::ca {

class Authority {
 public:
  /// Reads or makes the CA, and logs its warnings. Blocks for a moment, like EmbeddedCa::open().
  /// The record layer of connections is what AQUIFER_TLS_RECORDS says. An error is a sentence for
  /// the operator.
  [[nodiscard]] static std::expected<std::unique_ptr<Authority>, std::string> open(
      EmbeddedCaOptions options, tls::KeyExchange key_exchange);

  [[nodiscard]] CertManager& certs() noexcept { return certs_; }

  /// Renews and retries what is due, until `cancel`.
  [[nodiscard]] coro::Task<void> keep_up(io::Loop& loop, coro::CancelSource* cancel);

 private:
  Authority(std::unique_ptr<EmbeddedCa> ca, CertManagerOptions options)
      : ca_(std::move(ca)), certs_(*ca_, std::move(options)) {}

  const std::unique_ptr<EmbeddedCa> ca_;
  CertManager certs_;
};

}  // namespace aquifer::ca
