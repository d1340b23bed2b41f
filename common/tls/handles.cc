#include "common/tls/handles.h"

#include "common/tls/openssl.h"

namespace aquifer::tls {

void HandleDeleter::operator()(ssl_st* handle) const noexcept {
  SSL_free(handle);
}
void HandleDeleter::operator()(ssl_ctx_st* handle) const noexcept {
  SSL_CTX_free(handle);
}
void HandleDeleter::operator()(x509_st* handle) const noexcept {
  X509_free(handle);
}
void HandleDeleter::operator()(evp_pkey_st* handle) const noexcept {
  EVP_PKEY_free(handle);
}
void HandleDeleter::operator()(evp_cipher_ctx_st* handle) const noexcept {
  EVP_CIPHER_CTX_free(handle);
}

std::string library_version() {
  const std::string full = OpenSSL_version(OPENSSL_VERSION);
  // "OpenSSL 3.0.17 1 Jul 2025": name and number are enough.
  return full.substr(0, full.find(' ', full.find(' ') + 1));
}

}  // namespace aquifer::tls
