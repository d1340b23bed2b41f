#include "common/tls/traffic_key.h"

#include "common/base/assert.h"
#include "common/tls/openssl.h"
#include "common/tls/tls_error.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace aquifer::tls {
namespace {

using KdfPtr = Owned<EVP_KDF, EVP_KDF_free>;
using KdfContextPtr = Owned<EVP_KDF_CTX, EVP_KDF_CTX_free>;

constexpr std::size_t kKeyBytesMax = 32;

struct SuiteFacts {
  const char* digest;
  std::size_t hash_bytes;
  std::size_t key_bytes;
};

constexpr SuiteFacts facts_of(CipherSuite suite) {
  if (suite == CipherSuite::aes_128_gcm_sha256) return {"SHA256", 32, 16};
  return {"SHA384", 48, 32};
}

// HKDF-Expand-Label with an empty context: RFC 8446, 7.1.
bool expand_label(const SuiteFacts& facts, ByteView secret, std::string_view label,
                  MutableBytes out) {
  static constexpr std::string_view kPrefix = "tls13 ";
  std::array<std::uint8_t, 32> info;
  std::size_t size = 0;
  info[size++] = static_cast<std::uint8_t>(out.size() >> 8);
  info[size++] = static_cast<std::uint8_t>(out.size());
  info[size++] = static_cast<std::uint8_t>(kPrefix.size() + label.size());
  for (const char c : kPrefix) info[size++] = static_cast<std::uint8_t>(c);
  for (const char c : label) info[size++] = static_cast<std::uint8_t>(c);
  info[size++] = 0;

  const KdfPtr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr));
  const KdfContextPtr context(EVP_KDF_CTX_new(kdf.get()));
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const std::array parameters = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, const_cast<char*>(facts.digest), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                        const_cast<std::uint8_t*>(secret.data()), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), size),
      OSSL_PARAM_construct_end(),
  };
  return context && EVP_KDF_derive(context.get(), out.data(), out.size(), parameters.data()) == 1;
}

}  // namespace

Result<TrafficKey> TrafficKey::create(CipherSuite suite, Use use, const DirectionState& state) {
  if (state.secret.view().size() != facts_of(suite).hash_bytes) {
    return fail(Errc::internal, "a traffic secret of the wrong length");
  }
  TrafficKey key(suite, use, state);
  TRY_VOID(key.derive());
  return key;
}

Status TrafficKey::derive() {
  clear_tls_errors();
  const SuiteFacts facts = facts_of(suite_);
  std::array<std::uint8_t, kKeyBytesMax> key;
  const bool derived =
      expand_label(facts, secret_.view(), "key", MutableBytes(key).first(facts.key_bytes)) &&
      expand_label(facts, secret_.view(), "iv", iv_);
  if (!cipher_) cipher_.reset(EVP_CIPHER_CTX_new());
  const EVP_CIPHER* method =
      suite_ == CipherSuite::aes_128_gcm_sha256 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  const int sealing = use_ == Use::seal ? 1 : 0;
  const bool ready =
      derived && cipher_ &&
      EVP_CipherInit_ex(cipher_.get(), method, nullptr, key.data(), nullptr, sealing) == 1;
  OPENSSL_cleanse(key.data(), key.size());
  if (!ready) return fail(take_tls_error(Errc::tls, "deriving a traffic key"));
  return {};
}

Status TrafficKey::update() {
  clear_tls_errors();
  const SuiteFacts facts = facts_of(suite_);
  std::array<std::uint8_t, Secret::kBytesMax> next;
  const auto room = MutableBytes(next).first(facts.hash_bytes);
  if (!expand_label(facts, secret_.view(), "traffic upd", room)) {
    return fail(take_tls_error(Errc::tls, "updating a traffic key"));
  }
  secret_ = Secret(room);
  OPENSSL_cleanse(next.data(), next.size());
  sequence_ = 0;
  return derive();
}

// The nonce is the sequence number, big-endian and right-aligned, over the IV; the header is
// authenticated.
bool TrafficKey::begin_record(const std::uint8_t* header) noexcept {
  AQUIFER_ASSERT(sequence_ != UINT64_MAX);
  auto nonce = iv_;
  for (std::size_t i = 0; i < sizeof sequence_; ++i) {
    nonce[kNonceBytes - 1 - i] ^= static_cast<std::uint8_t>(sequence_ >> (8 * i));
  }
  ++sequence_;
  int unused = 0;
  return EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, nonce.data(), -1) == 1 &&
         EVP_CipherUpdate(cipher_.get(), nullptr, &unused, header, kRecordHeaderBytes) == 1;
}

bool TrafficKey::seal(ContentType type, std::span<const ByteView> pieces, std::size_t content_bytes,
                      std::uint8_t* record) noexcept {
  AQUIFER_DEBUG_ASSERT(use_ == Use::seal);
  const std::size_t payload = content_bytes + 1 + kTagBytes;
  // Every protected record looks like application data of TLS 1.2.
  record[0] = static_cast<std::uint8_t>(ContentType::application_data);
  record[1] = 3;
  record[2] = 3;
  record[3] = static_cast<std::uint8_t>(payload >> 8);
  record[4] = static_cast<std::uint8_t>(payload);
  if (!begin_record(record)) return false;
  std::uint8_t* out = record + kRecordHeaderBytes;
  int written = 0;
  for (const ByteView piece : pieces) {
    if (EVP_CipherUpdate(cipher_.get(), out, &written, piece.data(),
                         static_cast<int>(piece.size())) != 1)
      return false;
    out += written;
  }
  const auto type_byte = static_cast<std::uint8_t>(type);
  if (EVP_CipherUpdate(cipher_.get(), out, &written, &type_byte, 1) != 1) return false;
  out += written;
  AQUIFER_DEBUG_ASSERT(out == record + kRecordHeaderBytes + content_bytes + 1);
  return EVP_CipherFinal_ex(cipher_.get(), out, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, out) == 1;
}

bool TrafficKey::open(ByteView record, std::uint8_t* inner) noexcept {
  AQUIFER_DEBUG_ASSERT(use_ == Use::open && record.size() > kRecordHeaderBytes + kTagBytes);
  const ByteView sealed =
      record.subspan(kRecordHeaderBytes, record.size() - kRecordHeaderBytes - kTagBytes);
  auto* tag = const_cast<std::uint8_t*>(record.last(kTagBytes).data());
  int written = 0;
  return begin_record(record.data()) &&
         EVP_CipherUpdate(cipher_.get(), inner, &written, sealed.data(),
                          static_cast<int>(sealed.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
         EVP_CipherFinal_ex(cipher_.get(), inner + written, &written) == 1;
}

}  // namespace aquifer::tls
