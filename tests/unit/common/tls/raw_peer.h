// A TLS end that is not ours: plain OpenSSL with memory BIOs, free to do what our contexts never
// would.
#pragma once

#include "common/tls/openssl.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace aquifer::tls::testing {

enum class Side : std::uint8_t { client, server };

class RawPeer {
 public:
  explicit RawPeer(Side side, const CertificateBundle* bundle = nullptr)
      : context_(SSL_CTX_new(side == Side::client ? TLS_client_method() : TLS_server_method())),
        side_(side) {
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_num_tickets(context_.get(), 0);
    if (bundle != nullptr) {
      SSL_CTX_use_certificate(context_.get(), bundle->leaf().handle());
      SSL_CTX_use_PrivateKey(context_.get(), bundle->key.handle());
    }
  }

  [[nodiscard]] SSL_CTX* context() { return context_.get(); }
  /// Offers (client) or insists on (server) these, in wire form: "\x02h2".
  void set_alpn(std::string protocols) {
    alpn_ = std::move(protocols);
    if (side_ == Side::client) {
      SSL_CTX_set_alpn_protos(context_.get(), reinterpret_cast<const unsigned char*>(alpn_.data()),
                              static_cast<unsigned>(alpn_.size()));
    } else {
      SSL_CTX_set_alpn_select_cb(context_.get(), choose, this);
    }
  }

  SSL* ssl() {
    if (!ssl_) {
      ssl_.reset(SSL_new(context_.get()));
      SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      side_ == Side::client ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
    }
    return ssl_.get();
  }

  void receive(ByteView bytes) {
    BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size()));
  }
  [[nodiscard]] std::vector<std::uint8_t> take_output() {
    const std::string text = text_of(SSL_get_wbio(ssl()));
    (void)BIO_reset(SSL_get_wbio(ssl()));
    return {text.begin(), text.end()};
  }
  bool shake() {
    ERR_clear_error();
    const int verdict = SSL_do_handshake(ssl());
    if (verdict != 1 && SSL_get_error(ssl(), verdict) == SSL_ERROR_SSL && failure_.empty()) {
      const char* reason = ERR_reason_error_string(ERR_peek_error());
      failure_ = reason != nullptr ? reason : "unknown";
    }
    return verdict == 1;
  }
  /// Why its handshake failed: the alert it was sent.
  [[nodiscard]] const std::string& failure() const { return failure_; }

  void send(std::string_view text) {
    REQUIRE(SSL_write(ssl(), text.data(), static_cast<int>(text.size())) > 0);
  }
  /// Everything that can be read now; `alert` is what OpenSSL says when it fails.
  [[nodiscard]] std::string read(std::string* alert = nullptr) {
    std::string all;
    char block[4096];
    ERR_clear_error();
    int count = 0;
    while ((count = SSL_read(ssl(), block, sizeof block)) > 0)
      all.append(block, static_cast<std::size_t>(count));
    if (alert != nullptr && SSL_get_error(ssl(), count) == SSL_ERROR_SSL) {
      *alert = ERR_reason_error_string(ERR_peek_error());
    }
    return all;
  }

 private:
  static int choose(SSL* /*ssl*/, const unsigned char** out, unsigned char* size,
                    const unsigned char* /*in*/, unsigned /*in_size*/, void* self) {
    const auto& wanted = static_cast<RawPeer*>(self)->alpn_;
    *out = reinterpret_cast<const unsigned char*>(wanted.data()) + 1;
    *size = static_cast<unsigned char>(wanted.size() - 1);
    return SSL_TLSEXT_ERR_OK;
  }

  SslContextPtr context_;
  SslPtr ssl_;
  std::string alpn_;
  std::string failure_;
  Side side_;
};

/// Carries both ways until nothing is on the way. Whether the raw peer believes itself done.
inline bool shake(RawPeer& raw, End& ours, Side our_side) {
  bool done = raw.shake();
  if (our_side == Side::client) ours.feed({});
  for (int round = 0; round < 10; ++round) {
    const auto from_raw = raw.take_output();
    if (!from_raw.empty()) ours.feed(from_raw);
    const auto from_us = drain(ours.out);
    if (!from_us.empty()) raw.receive(from_us);
    done = raw.shake();
    if (from_raw.empty() && from_us.empty()) break;
  }
  return done;
}

}  // namespace aquifer::tls::testing
