#include "config/ca/authority.h"

#include "common/base/log.h"

#include <algorithm>
#include <utility>

namespace aquifer::ca {

std::expected<std::unique_ptr<Authority>, std::string> Authority::open(
    EmbeddedCaOptions options, tls::KeyExchange key_exchange) {
  auto embedded = EmbeddedCa::open(std::move(options));
  if (!embedded) return std::unexpected(embedded.error().text);
  for (const std::string& warning : (*embedded)->warnings()) log::warn("ca", "{}", warning);
  const auto records = tls::record_layer_from_environment();
  if (!records) return std::unexpected(std::string("AQUIFER_TLS_RECORDS: write openssl or own"));
  CertManagerOptions certs;
  certs.contexts.records = *records;
  certs.contexts.key_exchange = key_exchange;
  return std::unique_ptr<Authority>(new Authority(std::move(*embedded), std::move(certs)));
}

coro::Task<void> Authority::keep_up(io::Loop& loop, coro::CancelSource* cancel) {
  for (;;) {
    const tls::WallTime next = certs_.tick();
    const auto pause = std::max<tls::WallClock::duration>(next - tls::WallClock::now(),
                                                          std::chrono::milliseconds(10));
    const Deadline deadline = loop.after(std::chrono::duration_cast<Duration>(pause));
    const Status slept = co_await io::sleep_until(loop, deadline, cancel);
    if (!slept) co_return;
  }
}

}  // namespace aquifer::ca
