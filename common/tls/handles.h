// Owning pointers to OpenSSL's objects, without OpenSSL's headers: everything above common/tls can
// hold our types and never sees the library. The deleters are defined in handles.cc.
#pragma once

#include <memory>
#include <string>

struct ssl_st;
struct ssl_ctx_st;
struct x509_st;
struct evp_pkey_st;
struct evp_cipher_ctx_st;

namespace aquifer::tls {

struct HandleDeleter {
  void operator()(ssl_st* handle) const noexcept;
  void operator()(ssl_ctx_st* handle) const noexcept;
  void operator()(x509_st* handle) const noexcept;
  void operator()(evp_pkey_st* handle) const noexcept;
  void operator()(evp_cipher_ctx_st* handle) const noexcept;
};

using SslPtr = std::unique_ptr<ssl_st, HandleDeleter>;
using SslContextPtr = std::unique_ptr<ssl_ctx_st, HandleDeleter>;
using X509Ptr = std::unique_ptr<x509_st, HandleDeleter>;
using KeyPtr = std::unique_ptr<evp_pkey_st, HandleDeleter>;
using CipherPtr = std::unique_ptr<evp_cipher_ctx_st, HandleDeleter>;

/// "OpenSSL 3.0.17": the library that is loaded, which may be newer than the headers.
[[nodiscard]] std::string library_version();

}  // namespace aquifer::tls
