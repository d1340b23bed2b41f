#include "common/tls/certificate.h"

#include "common/tls/openssl.h"
#include "common/tls/tls_error.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace aquifer::tls {
namespace {

using NamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using StorePtr = Owned<X509_STORE, X509_STORE_free>;
using StoreContextPtr = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

BioPtr reader_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

KeyPtr share(const KeyPtr& key) noexcept {
  if (key) EVP_PKEY_up_ref(key.get());
  return KeyPtr(key.get());
}

X509Ptr share(const X509Ptr& certificate) noexcept {
  if (certificate) X509_up_ref(certificate.get());
  return X509Ptr(certificate.get());
}

// Nobody is asked for a pass phrase: a program that waits on a terminal is a program that hangs.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return -1;
}

WallTime wall_time(const ASN1_TIME* time) noexcept {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return WallTime{};
  return WallClock::from_time_t(::timegm(&fields));
}

}  // namespace

PrivateKey::PrivateKey(const PrivateKey& other) noexcept : key_(share(other.key_)) {}

PrivateKey& PrivateKey::operator=(const PrivateKey& other) noexcept {
  if (this != &other) key_ = share(other.key_);
  return *this;
}

Result<PrivateKey> PrivateKey::generate_p256() {
  clear_tls_errors();
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return fail(take_tls_error(Errc::tls, "making an ECDSA key"));
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::generate_rsa(unsigned bits) {
  clear_tls_errors();
  KeyPtr key(EVP_RSA_gen(bits));
  if (!key) return fail(take_tls_error(Errc::tls, "making an RSA key"));
  return PrivateKey(std::move(key));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  clear_tls_errors();
  const BioPtr reader = reader_of(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_pass_phrase, nullptr));
  if (!key) return fail(take_tls_error(Errc::invalid, "reading a private key"));
  return PrivateKey(std::move(key));
}

std::string PrivateKey::to_pem() const {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(writer.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1) {
    return {};
  }
  return text_of(writer.get());
}

Certificate::Certificate(const Certificate& other) noexcept
    : certificate_(share(other.certificate_)) {}

Certificate& Certificate::operator=(const Certificate& other) noexcept {
  if (this != &other) certificate_ = share(other.certificate_);
  return *this;
}

Result<std::vector<Certificate>> Certificate::all_from_pem(std::string_view pem) {
  clear_tls_errors();
  const BioPtr reader = reader_of(pem);
  std::vector<Certificate> all;
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, no_pass_phrase, nullptr)) {
    // Extensions are parsed lazily, under a lock, into the object itself: do it now, before threads
    // share it.
    X509_check_purpose(certificate, -1, 0);
    all.emplace_back(X509Ptr(certificate));
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!ended || all.empty()) return fail(take_tls_error(Errc::invalid, "reading a certificate"));
  clear_tls_errors();
  return all;
}

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  TRY(auto all, all_from_pem(pem));
  return std::move(all.front());
}

std::string Certificate::to_pem() const {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(writer.get(), certificate_.get()) != 1) return {};
  return text_of(writer.get());
}

std::vector<SpiffeId> Certificate::spiffe_ids() const {
  std::vector<SpiffeId> ids;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri));
    auto id = SpiffeId::parse({text, static_cast<std::size_t>(ASN1_STRING_length(uri))});
    if (id) ids.push_back(std::move(*id));
  }
  return ids;
}

std::string Certificate::serial() const {
  const Owned<BIGNUM, BN_free> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate_.get()), nullptr));
  char* text = number ? BN_bn2dec(number.get()) : nullptr;
  std::string decimal = text != nullptr ? text : "";
  OPENSSL_free(text);
  return decimal;
}

std::string Certificate::subject() const {
  const BioPtr writer(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(writer.get(), X509_get_subject_name(certificate_.get()), 0, XN_FLAG_RFC2253);
  return text_of(writer.get());
}

WallTime Certificate::not_before() const noexcept {
  return wall_time(X509_get0_notBefore(certificate_.get()));
}

WallTime Certificate::not_after() const noexcept {
  return wall_time(X509_get0_notAfter(certificate_.get()));
}

bool Certificate::may_sign() const noexcept {
  const std::uint32_t flags = X509_get_extension_flags(certificate_.get());
  if ((flags & EXFLAG_CA) == 0) return false;
  return (flags & EXFLAG_KUSAGE) == 0 ||
         (X509_get_key_usage(certificate_.get()) & KU_KEY_CERT_SIGN) != 0;
}

bool Certificate::self_issued() const noexcept {
  return X509_name_cmp(X509_get_subject_name(certificate_.get()),
                       X509_get_issuer_name(certificate_.get())) == 0;
}

bool Certificate::belongs_to(const PrivateKey& key) const noexcept {
  return EVP_PKEY_eq(X509_get0_pubkey(certificate_.get()), key.handle()) == 1;
}

bool Certificate::issued_by(const Certificate& issuer) const noexcept {
  clear_tls_errors();
  return X509_name_cmp(X509_get_issuer_name(certificate_.get()),
                       X509_get_subject_name(issuer.handle())) == 0 &&
         X509_verify(certificate_.get(), X509_get0_pubkey(issuer.handle())) == 1;
}

bool operator==(const Certificate& a, const Certificate& b) noexcept {
  return X509_cmp(a.handle(), b.handle()) == 0;
}

Status verify_bundle(const CertificateBundle& bundle, WallTime when) {
  clear_tls_errors();
  if (bundle.chain.empty()) return fail(Errc::invalid, "a certificate chain without certificates");
  if (!bundle.leaf().belongs_to(bundle.key)) {
    set_tls_error_text("the private key does not belong to the certificate");
    return fail(Errc::identity, "checking a certificate");
  }
  const StorePtr store(X509_STORE_new());
  for (const Certificate& root : bundle.roots) X509_STORE_add_cert(store.get(), root.handle());
  const Owned<STACK_OF(X509), [](STACK_OF(X509) * stack) { sk_X509_free(stack); }> between(
      sk_X509_new_null());
  for (std::size_t i = 1; i < bundle.chain.size(); ++i) {
    sk_X509_push(between.get(), bundle.chain[i].handle());
  }
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), bundle.leaf().handle(), between.get()) != 1) {
    return fail(take_tls_error(Errc::tls, "checking a certificate"));
  }
  X509_VERIFY_PARAM* terms = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(terms, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(terms, WallClock::to_time_t(when));
  if (X509_verify_cert(context.get()) == 1) return {};
  set_tls_error_text(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())));
  return fail(take_tls_error(Errc::identity, "checking a certificate"));
}

}  // namespace aquifer::tls
