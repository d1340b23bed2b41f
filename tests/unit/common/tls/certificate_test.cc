#include "common/tls/certificate.h"

#include "common/tls/issue.h"
#include "common/tls/tls_error.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

TEST_CASE("a private key survives being written down and read back") {
  const auto key = PrivateKey::generate_p256().value();
  const auto again = PrivateKey::from_pem(key.to_pem());
  REQUIRE(again);
  CHECK(again->to_pem() == key.to_pem());
  CHECK(key.to_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
}

TEST_CASE("a text without a key is refused with a reason") {
  const auto key = PrivateKey::from_pem("not a key");
  REQUIRE_FALSE(key);
  CHECK(key.error().code == Errc::invalid);
  CHECK_FALSE(last_tls_error_text().empty());
}

TEST_CASE("a leaf carries its identity, its times and a serial of its own") {
  const Signer root = make_root();
  const auto terms = leaf_terms("spiffe://cluster.local/ns/default/sa/web");
  const auto one = bundle_of(root, terms);
  const auto two = bundle_of(root, terms);
  CHECK(one.leaf().spiffe_ids() == std::vector{id_of("web")});
  CHECK(one.leaf().not_before() == std::chrono::floor<std::chrono::seconds>(terms.not_before));
  CHECK(one.leaf().not_after() == std::chrono::floor<std::chrono::seconds>(terms.not_after));
  CHECK(one.leaf().serial() != two.leaf().serial());
  CHECK(one.leaf().serial().find_first_not_of("0123456789") == std::string::npos);
  CHECK(one.leaf().subject().empty());
  CHECK_FALSE(one.leaf().may_sign());
  CHECK(one.leaf().belongs_to(one.key));
  CHECK_FALSE(one.leaf().belongs_to(two.key));
  CHECK(one.leaf().issued_by(root.certificate));
  CHECK_FALSE(one.leaf().issued_by(make_root().certificate));
}

TEST_CASE("a root may sign and names itself as its issuer") {
  const Signer root = make_root("example.org");
  CHECK(root.certificate.may_sign());
  CHECK(root.certificate.self_issued());
  CHECK(root.certificate.issued_by(root.certificate));
  CHECK(root.certificate.subject() == "O=example.org");
}

TEST_CASE("several certificates in one text are read in order") {
  const Signer a = make_root("a");
  const Signer b = make_root("b");
  const auto all = Certificate::all_from_pem("comment\n" + a.certificate.to_pem() + "\n" +
                                             b.certificate.to_pem());
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK((*all)[0] == a.certificate);
  CHECK((*all)[1] == b.certificate);
}

TEST_CASE("a broken certificate behind a good one fails the whole text") {
  const Signer a = make_root("a");
  std::string broken = a.certificate.to_pem();
  broken.replace(60, 8, "????????");
  CHECK_FALSE(Certificate::all_from_pem(a.certificate.to_pem() + broken));
  CHECK_FALSE(Certificate::all_from_pem(""));
}

TEST_CASE("URI names that are no SPIFFE identity are passed over") {
  const Signer root = make_root();
  CHECK(bundle_of(root, leaf_terms("https://example.org/")).leaf().spiffe_ids().empty());
  CHECK(root.certificate.spiffe_ids().empty());
}

TEST_CASE("a bundle verifies through an intermediate, and not without it") {
  const Signer root = make_root();
  const auto key = PrivateKey::generate_p256().value();
  const Signer middle{issue_intermediate(root, key, ca_terms("middle")).value(), key};
  auto bundle = bundle_of(middle, id_of("web"));
  bundle.roots = {root.certificate};
  CHECK_FALSE(verify_bundle(bundle, WallClock::now()));
  CHECK(last_tls_error_text().find("issuer") != std::string::npos);
  bundle.chain.push_back(middle.certificate);
  CHECK(verify_bundle(bundle, WallClock::now()));
}

TEST_CASE("a bundle is good at one time and expired at another") {
  const auto bundle = bundle_of(make_root(), id_of("web"));
  CHECK(verify_bundle(bundle, WallClock::now()));
  CHECK_FALSE(verify_bundle(bundle, WallClock::now() + 2 * kHour));
  CHECK(last_tls_error_text() == "certificate has expired");
  CHECK_FALSE(verify_bundle(bundle, WallClock::now() - 2 * kHour));
}

TEST_CASE("a bundle with another's key is refused") {
  auto bundle = bundle_of(make_root(), id_of("web"));
  bundle.key = PrivateKey::generate_p256().value();
  const auto verdict = verify_bundle(bundle, WallClock::now());
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == Errc::identity);
}

TEST_CASE("a request is a PEM text made with the key") {
  const auto key = PrivateKey::generate_p256().value();
  const auto request = make_request_pem(key, id_of("web"));
  REQUIRE(request);
  CHECK(request->starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
}

TEST_CASE("an RSA CA signs ECDSA leaves") {
  const auto key = PrivateKey::generate_rsa(2048).value();
  const Signer root{issue_root(key, ca_terms("rsa")).value(), key};
  const auto bundle = bundle_of(root, id_of("web"));
  CHECK(verify_bundle(bundle, WallClock::now()));
}
