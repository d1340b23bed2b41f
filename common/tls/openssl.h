// The one place that includes OpenSSL's headers. For .cc files of common/tls only.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace aquifer::tls {

/// unique_ptr with one of OpenSSL's free functions: `Owned<BIO, BIO_free_all>`.
template <typename T, auto Free>
struct FreeWith {
  void operator()(T* handle) const noexcept { Free(handle); }
};
template <typename T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<T, Free>>;

using BioPtr = Owned<BIO, BIO_free_all>;

/// What a memory BIO holds.
[[nodiscard]] inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace aquifer::tls
