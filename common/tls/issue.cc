#include "common/tls/issue.h"

#include "common/tls/openssl.h"
#include "common/tls/tls_error.h"

#include <array>
#include <ctime>
#include <utility>

namespace aquifer::tls {
namespace {

using NamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using ExtensionPtr = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using RequestPtr = Owned<X509_REQ, X509_REQ_free>;

// RFC 5280, 4.1.2.2: positive and at most 20 octets; 16 with the top bit clear are unguessable
// enough.
constexpr std::size_t kSerialBytes = 16;

constexpr long kX509Version3 = 2;

NamesPtr uri_names(std::string_view uri) {
  NamesPtr names(GENERAL_NAMES_new());
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size()));
  GENERAL_NAME_set0_value(name, GEN_URI, text);
  sk_GENERAL_NAME_push(names.get(), name);
  return names;
}

// Ed25519 and Ed448 hash by themselves and must be given no digest.
const EVP_MD* digest_for(const PrivateKey& key) {
  int digest = NID_undef;
  const int known = EVP_PKEY_get_default_digest_nid(key.handle(), &digest);
  return known == 2 && digest == NID_undef ? nullptr : EVP_sha256();
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  const Owned<BIGNUM, BN_free> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_times(X509* certificate, WallTime from, WallTime until) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), WallClock::to_time_t(from)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), WallClock::to_time_t(until)) != nullptr;
}

bool add_name(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return true;
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

const char* usage_text(LeafUsage usage) {
  switch (usage) {
    case LeafUsage::client_only: return "clientAuth";
    case LeafUsage::server_only: return "serverAuth";
    case LeafUsage::client_and_server:
    case LeafUsage::unrestricted: break;
  }
  return "serverAuth,clientAuth";
}

// RFC 5280, 4.2.1.6: with an empty subject the alternative name must be critical.
bool add_uri(X509* certificate, std::string_view uri, int critical) {
  const NamesPtr names = uri_names(uri);
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), critical,
                           X509V3_ADD_DEFAULT) == 1;
}

bool fill_leaf(X509* certificate, const Signer& signer, const PrivateKey& subject_key,
               const LeafTerms& terms) {
  X509* issuer = signer.certificate.handle();
  return X509_set_version(certificate, kX509Version3) == 1 && set_serial(certificate) &&
         set_times(certificate, terms.not_before, terms.not_after) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(certificate, subject_key.handle()) == 1 &&
         add_extension(certificate, issuer, NID_key_usage,
                       "critical,digitalSignature,keyEncipherment") &&
         (terms.usage == LeafUsage::unrestricted ||
          add_extension(certificate, issuer, NID_ext_key_usage, usage_text(terms.usage))) &&
         add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
         add_uri(certificate, terms.uri, 1);
}

// `issuer` is the certificate itself for a root.
bool fill_ca(X509* certificate, X509* issuer, const PrivateKey& key, const CaTerms& terms) {
  X509_NAME* name = X509_get_subject_name(certificate);
  return X509_set_version(certificate, kX509Version3) == 1 && set_serial(certificate) &&
         set_times(certificate, terms.not_before, terms.not_after) &&
         add_name(name, "O", terms.organization) && add_name(name, "CN", terms.common_name) &&
         X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
         X509_set_pubkey(certificate, key.handle()) == 1 &&
         add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
         add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
         add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
         (terms.uri.empty() || add_uri(certificate, terms.uri, 0));
}

Result<Certificate> signed_with(X509Ptr certificate, const PrivateKey& key) {
  if (X509_sign(certificate.get(), key.handle(), digest_for(key)) <= 0) {
    return fail(take_tls_error(Errc::tls, "signing a certificate"));
  }
  // Read back, as everybody else will: cached fields of the half-made object are not to be trusted.
  return Certificate::from_pem(Certificate(std::move(certificate)).to_pem());
}

}  // namespace

Result<std::string> make_request_pem(const PrivateKey& key, const SpiffeId& identity) {
  clear_tls_errors();
  const RequestPtr request(X509_REQ_new());
  const NamesPtr names = uri_names(identity.to_string());
  STACK_OF(X509_EXTENSION)* extensions = nullptr;
  const bool filled =
      X509V3_add1_i2d(&extensions, NID_subject_alt_name, names.get(), 1, X509V3_ADD_DEFAULT) == 1 &&
      X509_REQ_set_version(request.get(), 0) == 1 &&
      X509_REQ_set_pubkey(request.get(), key.handle()) == 1 &&
      X509_REQ_add_extensions(request.get(), extensions) == 1 &&
      X509_REQ_sign(request.get(), key.handle(), digest_for(key)) > 0;
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (!filled || PEM_write_bio_X509_REQ(writer.get(), request.get()) != 1) {
    return fail(take_tls_error(Errc::tls, "making a certificate request"));
  }
  return text_of(writer.get());
}

Result<Certificate> issue_leaf(const Signer& signer, const PrivateKey& subject_key,
                               const LeafTerms& terms) {
  clear_tls_errors();
  X509Ptr certificate(X509_new());
  if (!fill_leaf(certificate.get(), signer, subject_key, terms)) {
    return fail(take_tls_error(Errc::tls, "making a certificate"));
  }
  return signed_with(std::move(certificate), signer.key);
}

Result<Certificate> issue_root(const PrivateKey& key, const CaTerms& terms) {
  clear_tls_errors();
  X509Ptr certificate(X509_new());
  if (!fill_ca(certificate.get(), certificate.get(), key, terms)) {
    return fail(take_tls_error(Errc::tls, "making a root certificate"));
  }
  return signed_with(std::move(certificate), key);
}

Result<Certificate> issue_intermediate(const Signer& signer, const PrivateKey& key,
                                       const CaTerms& terms) {
  clear_tls_errors();
  X509Ptr certificate(X509_new());
  if (!fill_ca(certificate.get(), signer.certificate.handle(), key, terms)) {
    return fail(take_tls_error(Errc::tls, "making a CA certificate"));
  }
  return signed_with(std::move(certificate), signer.key);
}

}  // namespace aquifer::tls
