#include "common/tls/peer_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace aquifer::tls {
namespace {

std::string list_of(const std::vector<SpiffeId>& ids) {
  // A certificate may carry many names: a few are enough to see what is wrong.
  constexpr std::size_t kShown = 4;
  std::string text;
  for (std::size_t i = 0; i < ids.size() && i < kShown; ++i) {
    if (i > 0) text += ", ";
    text += ids[i].to_string();
  }
  if (ids.size() > kShown) text += ", ...";
  return text;
}

// The empty text: accepted.
std::string refusal_of(const PeerCheck& check, const std::vector<SpiffeId>& ids) {
  if (ids.empty()) return "the peer's certificate has no SPIFFE identity";
  if (check.role == PeerCheck::Role::client) {
    const bool known = std::ranges::any_of(ids, [&](const SpiffeId& id) {
      return std::ranges::find(check.expected, id) != check.expected.end();
    });
    if (known) return {};
    return fmt::format("the server is {}, expected {}", list_of(ids), list_of(check.expected));
  }
  const bool same_domain = std::ranges::any_of(
      ids, [&](const SpiffeId& id) { return id.trust_domain() == check.own_trust_domain; });
  if (same_domain) return {};
  return fmt::format("the client is {}, not of trust domain {}", list_of(ids),
                     check.own_trust_domain);
}

// What neither a chain nor a name tells: a CA is no workload, and an extended key usage must allow
// the peer's role. OpenSSL would let the ancient server-gated-crypto usages pass for a server.
std::string_view misuse_of(X509* leaf, PeerCheck::Role own_role) {
  const std::uint32_t flags = X509_get_extension_flags(leaf);
  if ((flags & EXFLAG_CA) != 0) return "the peer's certificate is a CA's";
  if ((flags & EXFLAG_XKUSAGE) == 0) return {};
  const std::uint32_t usage = X509_get_extended_key_usage(leaf);
  if (own_role == PeerCheck::Role::client) {
    return (usage & XKU_SSL_SERVER) != 0 ? std::string_view{}
                                         : "the peer's certificate is not for servers";
  }
  return (usage & XKU_SSL_CLIENT) != 0 ? std::string_view{}
                                       : "the peer's certificate is not for clients";
}

int refuse(X509_STORE_CTX* store, PeerCheck& check, int reason, std::string text) {
  check.refusal = std::move(text);
  // The reason also chooses the alert that the peer is sent.
  X509_STORE_CTX_set_error(store, reason);
  return 0;
}

}  // namespace

bool speaks_h2(const SSL* ssl) noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  return size == 2 && std::equal(name, name + size, "h2");
}

int verify_peer(X509_STORE_CTX* store, void* /*unused*/) noexcept {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& check = *static_cast<PeerCheck*>(SSL_get_app_data(ssl));

  // A client learns the server's choice of protocol just before its certificate, and has sent
  // nothing yet.
  if (check.role == PeerCheck::Role::client && !speaks_h2(ssl)) {
    return refuse(store, check, X509_V_ERR_APPLICATION_VERIFICATION,
                  "the server does not speak h2");
  }
  if (X509_verify_cert(store) != 1) {
    const int reason = X509_STORE_CTX_get_error(store);
    return refuse(
        store, check, reason != X509_V_OK ? reason : X509_V_ERR_UNSPECIFIED,
        fmt::format("the peer's certificate is refused: {} (depth {})",
                    X509_verify_cert_error_string(reason), X509_STORE_CTX_get_error_depth(store)));
  }
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (const auto misuse = misuse_of(leaf, check.role); !misuse.empty()) {
    return refuse(store, check, X509_V_ERR_INVALID_PURPOSE, std::string(misuse));
  }
  X509_up_ref(leaf);
  const Certificate certificate{X509Ptr(leaf)};
  auto ids = certificate.spiffe_ids();
  if (auto refusal = refusal_of(check, ids); !refusal.empty()) {
    return refuse(store, check, X509_V_ERR_CERT_REJECTED, std::move(refusal));
  }
  check.identity = std::move(ids.front());
  check.not_after = certificate.not_after();
  return 1;
}

}  // namespace aquifer::tls
