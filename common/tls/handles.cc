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

}  // namespace aquifer::tls
