// A small mesh for the tests: a root, certificates for workloads, and handshakes between two ends
// in memory.
#pragma once

#include "common/io/chunk_queue.h"
#include "common/tls/context.h"
#include "common/tls/handshake.h"
#include "common/tls/issue.h"
#include "common/tls/tls_error.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace aquifer::tls::testing {

inline constexpr auto kHour = std::chrono::minutes(60);

inline SpiffeId id_of(std::string_view service_account,
                      std::string_view trust_domain = "cluster.local") {
  return SpiffeId::make(trust_domain, "default", service_account).value();
}

inline CaTerms ca_terms(std::string name) {
  const WallTime now = WallClock::now();
  return {std::move(name), "", now - kHour, now + 24 * kHour, ""};
}

inline Signer make_root(std::string name = "cluster.local") {
  auto key = PrivateKey::generate_p256().value();
  auto certificate = issue_root(key, ca_terms(std::move(name))).value();
  return {std::move(certificate), std::move(key)};
}

inline LeafTerms leaf_terms(std::string uri) {
  const WallTime now = WallClock::now();
  return {std::move(uri), now - kHour, now + kHour, LeafUsage::client_and_server};
}

inline CertificateBundle bundle_of(const Signer& signer, const LeafTerms& terms) {
  auto key = PrivateKey::generate_p256().value();
  auto leaf = issue_leaf(signer, key, terms).value();
  return {std::move(key), {std::move(leaf)}, {signer.certificate}};
}

inline CertificateBundle bundle_of(const Signer& signer, const SpiffeId& id) {
  return bundle_of(signer, leaf_terms(id.to_string()));
}

/// Everything waiting in `queue`, taken out.
inline std::vector<std::uint8_t> drain(io::ChunkQueue& queue) {
  std::vector<std::uint8_t> bytes;
  while (!queue.empty()) {
    const ByteView piece = queue.front();
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    queue.consume(piece.size());
  }
  return bytes;
}

/// One side of a handshake in memory and what became of it.
struct End {
  explicit End(Handshake engine) : handshake(std::move(engine)) {}
  Handshake handshake;
  io::ChunkQueue out;
  std::vector<std::uint8_t> unread;  ///< arrived behind the end of the handshake
  std::optional<Error> error;
  std::string reason;
  bool done = false;

  void feed(ByteView bytes) {
    if (error) return;
    if (done) {
      unread.insert(unread.end(), bytes.begin(), bytes.end());
      return;
    }
    auto step = handshake.step(bytes, out);
    if (!step) {
      reason = last_tls_error_text();
      error = step.error();
      return;
    }
    done = *step == HandshakeStep::done;
    unread.assign(bytes.begin(), bytes.end());
  }
};

struct Pair {
  End client;
  End server;

  Pair(std::shared_ptr<const ClientContext> client_context,
       std::shared_ptr<const ServerContext> server_context, const std::vector<SpiffeId>& expected)
      : client(Handshake::client(std::move(client_context), expected).value()),
        server(Handshake::server(std::move(server_context)).value()) {}

  /// Carries everything both ways, `piece` bytes at a time, until nothing is on the way.
  void run(std::size_t piece = SIZE_MAX) {
    client.feed({});
    while (!client.out.empty() || !server.out.empty()) {
      carry(client, server, piece);
      carry(server, client, piece);
    }
  }

  static void carry(End& from, End& to, std::size_t piece) {
    const auto bytes = drain(from.out);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t count = std::min(piece, bytes.size() - at);
      to.feed(ByteView(bytes).subspan(at, count));
      at += count;
    }
  }
};

/// A pair of ends that trust `root`: the client is "client", the server is "server".
inline Pair make_pair(const CertificateBundle& client, const CertificateBundle& server,
                      const SpiffeId& expected, const ContextOptions& options = {}) {
  return {ClientContext::create(client, options).value(),
          ServerContext::create(server, options).value(),
          {expected}};
}

}  // namespace aquifer::tls::testing
