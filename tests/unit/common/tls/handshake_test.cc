#include "common/tls/handshake.h"

#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

namespace {

const Signer& root() {
  static const Signer signer = make_root();
  return signer;
}

const CertificateBundle& client_bundle() {
  static const CertificateBundle bundle = bundle_of(root(), id_of("client"));
  return bundle;
}

const CertificateBundle& server_bundle() {
  static const CertificateBundle bundle = bundle_of(root(), id_of("server"));
  return bundle;
}

// In TLS 1.3 a client is done before the server has judged it: then the refusal is the first thing
// it opens.
void check_told_by_alert(Pair& pair, std::string_view alert) {
  REQUIRE(pair.client.done);
  auto established = pair.client.handshake.finish().value();
  ByteView rest = pair.client.unread;
  std::array<std::uint8_t, 64> plaintext;
  io::ChunkQueue reply;
  const auto opened = established.records->open(rest, plaintext, reply);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::tls);
  CHECK_MESSAGE(last_tls_error_text().find(alert) != std::string::npos, last_tls_error_text());
}

void check_client_refused(const CertificateBundle& client, std::string_view why,
                          std::string_view alert) {
  auto pair = make_pair(client, server_bundle(), id_of("server"));
  pair.run();
  REQUIRE(pair.server.error);
  CHECK(pair.server.error->code == Errc::identity);
  CHECK(pair.server.error->source == ErrorSource::downstream);
  CHECK_MESSAGE(pair.server.reason.find(why) != std::string::npos, pair.server.reason);
  check_told_by_alert(pair, alert);
}

void check_server_refused(const CertificateBundle& server, std::string_view why) {
  auto pair = make_pair(client_bundle(), server, id_of("server"));
  pair.run();
  REQUIRE(pair.client.error);
  CHECK(pair.client.error->code == Errc::identity);
  CHECK(pair.client.error->source == ErrorSource::upstream);
  CHECK_MESSAGE(pair.client.reason.find(why) != std::string::npos, pair.client.reason);
  // The server heard it, and is not done.
  REQUIRE(pair.server.error);
  CHECK(pair.server.error->code == Errc::tls);
  CHECK(pair.server.reason.find("alert") != std::string::npos);
}

LeafTerms terms_of(std::string_view who) {
  return leaf_terms(id_of(who).to_string());
}

}  // namespace

TEST_CASE("two workloads of one mesh shake hands and learn each other's identity") {
  auto pair = make_pair(client_bundle(), server_bundle(), id_of("server"));
  pair.run();
  REQUIRE(pair.client.done);
  REQUIRE(pair.server.done);
  const auto client = pair.client.handshake.finish().value();
  const auto server = pair.server.handshake.finish().value();
  CHECK(client.peer.identity == id_of("server"));
  CHECK(server.peer.identity == id_of("client"));
  CHECK(client.peer.cipher == "TLS_AES_256_GCM_SHA384");
  CHECK(client.peer.alpn == "h2");
  CHECK((client.peer.group == "X25519MLKEM768" || client.peer.group == "X25519"));
  CHECK(client.peer.not_after == server_bundle().leaf().not_after());
}

TEST_CASE("a handshake may arrive byte by byte") {
  auto pair = make_pair(client_bundle(), server_bundle(), id_of("server"));
  pair.run(1);
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("after the handshake nothing more is on the wire: no tickets") {
  auto pair = make_pair(client_bundle(), server_bundle(), id_of("server"));
  pair.run();
  CHECK(pair.client.unread.empty());
  CHECK(pair.server.unread.empty());
}

TEST_CASE("what follows Finished in the same segment is left for the record layer") {
  auto pair = make_pair(client_bundle(), server_bundle(), id_of("server"));
  pair.client.feed({});
  Pair::carry(pair.client, pair.server, SIZE_MAX);
  Pair::carry(pair.server, pair.client, SIZE_MAX);
  REQUIRE(pair.client.done);
  auto client = pair.client.handshake.finish().value();
  const std::array pieces = {as_bytes("hello")};
  REQUIRE(client.records->seal(pieces, pair.client.out));
  Pair::carry(pair.client, pair.server, SIZE_MAX);
  REQUIRE(pair.server.done);
  auto server = pair.server.handshake.finish().value();
  ByteView rest = pair.server.unread;
  std::array<std::uint8_t, 64> plaintext;
  io::ChunkQueue reply;
  const auto count = server.records->open(rest, plaintext, reply);
  REQUIRE(count);
  CHECK(as_text(ByteView(plaintext).first(*count)) == "hello");
  CHECK(rest.empty());
}

TEST_CASE("a server must be one of the expected identities, any one of them") {
  const auto client = ClientContext::create(client_bundle()).value();
  const auto server = ServerContext::create(server_bundle()).value();
  Pair pair(client, server, {id_of("other"), id_of("server")});
  pair.run();
  CHECK(pair.client.done);
}

TEST_CASE("an expectation of nobody is refused before anything is sent") {
  const auto client = ClientContext::create(client_bundle()).value();
  const auto handshake = Handshake::client(client, {});
  REQUIRE_FALSE(handshake);
  CHECK(handshake.error().code == Errc::identity);
}

TEST_CASE("a server with another identity than expected is refused") {
  check_server_refused(bundle_of(root(), id_of("impostor")),
                       "the server is spiffe://cluster.local/ns/default/sa/impostor");
}

TEST_CASE("a server of the same name in another trust domain is refused") {
  check_server_refused(bundle_of(root(), id_of("server", "evil.example")),
                       "expected spiffe://cluster.local");
}

TEST_CASE("a server whose certificate has no SPIFFE identity is refused") {
  // It cannot even make a context of ours, so the name is one that our parser refuses and OpenSSL
  // does not.
  const auto bundle = bundle_of(root(), leaf_terms("https://cluster.local/ns/default/sa/server"));
  const auto context = ServerContext::create(bundle);
  REQUIRE_FALSE(context);
  CHECK(context.error().code == Errc::identity);
}

TEST_CASE("a server from an untrusted root is refused") {
  check_server_refused(bundle_of(make_root(), id_of("server")), "issuer");
}

TEST_CASE("an expired server is refused") {
  auto terms = terms_of("server");
  terms.not_after = WallClock::now() - std::chrono::seconds(5);
  check_server_refused(bundle_of(root(), terms), "expired");
}

TEST_CASE("a server that is not valid yet is refused") {
  auto terms = terms_of("server");
  terms.not_before = WallClock::now() + kHour / 2;
  check_server_refused(bundle_of(root(), terms), "not yet valid");
}

TEST_CASE("a server whose certificate is for clients only is refused") {
  auto terms = terms_of("server");
  terms.usage = LeafUsage::client_only;
  check_server_refused(bundle_of(root(), terms), "certificate purpose");
}

TEST_CASE("a server without any extended key usage is accepted") {
  auto terms = terms_of("server");
  terms.usage = LeafUsage::unrestricted;
  auto pair = make_pair(client_bundle(), bundle_of(root(), terms), id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("a client of another trust domain is refused, though its root is trusted") {
  check_client_refused(bundle_of(root(), id_of("client", "evil.example")),
                       "not of trust domain cluster.local", "bad certificate");
}

TEST_CASE("a client from an untrusted root is refused") {
  auto client = bundle_of(make_root(), id_of("client"));
  client.roots = {root().certificate};
  check_client_refused(client, "issuer", "unknown ");
}

TEST_CASE("an expired client is refused") {
  auto terms = terms_of("client");
  terms.not_after = WallClock::now() - std::chrono::seconds(5);
  check_client_refused(bundle_of(root(), terms), "expired", "certificate expired");
}

TEST_CASE("a client that is not valid yet is refused") {
  auto terms = terms_of("client");
  terms.not_before = WallClock::now() + kHour / 2;
  check_client_refused(bundle_of(root(), terms), "not yet valid", "bad certificate");
}

TEST_CASE("a client whose certificate is for servers only is refused") {
  auto terms = terms_of("client");
  terms.usage = LeafUsage::server_only;
  check_client_refused(bundle_of(root(), terms), "certificate purpose", "unsupported certificate");
}

TEST_CASE("a CA's certificate is no workload's, even with a SPIFFE identity of the mesh") {
  // Used as a leaf it chains to the root as well as any other.
  const auto key = PrivateKey::generate_p256().value();
  auto terms = ca_terms("middle");
  terms.uri = id_of("client").to_string();
  auto bundle = client_bundle();
  bundle.key = key;
  bundle.chain = {issue_intermediate(root(), key, terms).value()};
  check_client_refused(bundle, "certificate purpose", "unsupported certificate");
}

TEST_CASE("both sides may bring intermediates of one root") {
  const auto key = PrivateKey::generate_p256().value();
  const Signer middle{issue_intermediate(root(), key, ca_terms("middle")).value(), key};
  auto client = bundle_of(middle, id_of("client"));
  client.chain.push_back(middle.certificate);
  client.roots = {root().certificate};
  auto pair = make_pair(client, server_bundle(), id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);

  // Without the intermediate the same leaf cannot be judged.
  client.chain.pop_back();
  check_client_refused(client, "issuer", "unknown ");
}

TEST_CASE("while roots rotate, workloads of the old and the new root trust each other") {
  const Signer next = make_root("next");
  auto client = client_bundle();
  auto server = bundle_of(next, id_of("server"));
  client.roots = {root().certificate, next.certificate};
  server.roots = client.roots;
  auto pair = make_pair(client, server, id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("bytes that are no TLS end the handshake with an alert and an error") {
  auto server = Handshake::server(ServerContext::create(server_bundle()).value()).value();
  io::ChunkQueue out;
  ByteView garbage = as_bytes("GET / HTTP/1.1\r\n\r\n");
  const auto step = server.step(garbage, out);
  REQUIRE_FALSE(step);
  CHECK(step.error().code == Errc::tls);
  CHECK(last_tls_error_text().find("http request") != std::string::npos);
}

TEST_CASE("a bundle whose key is another's makes no context") {
  auto bundle = server_bundle();
  bundle.key = client_bundle().key;
  const auto context = ServerContext::create(bundle);
  REQUIRE_FALSE(context);
  CHECK(context.error().code == Errc::identity);
}

TEST_CASE("the environment chooses the record layer, and a word it does not know is an error") {
  ::unsetenv("AQUIFER_TLS_RECORDS");
  CHECK(record_layer_from_environment().value() == RecordLayerKind::own);
  ::setenv("AQUIFER_TLS_RECORDS", "openssl", 1);
  CHECK(record_layer_from_environment().value() == RecordLayerKind::openssl);
  ::setenv("AQUIFER_TLS_RECORDS", "own", 1);
  CHECK(record_layer_from_environment().value() == RecordLayerKind::own);
  ::setenv("AQUIFER_TLS_RECORDS", "mine", 1);
  CHECK_FALSE(record_layer_from_environment());
  ::unsetenv("AQUIFER_TLS_RECORDS");
}

TEST_CASE("a context says which record layer its connections get") {
  for (const auto kind : {RecordLayerKind::openssl, RecordLayerKind::own}) {
    auto pair = make_pair(client_bundle(), server_bundle(), id_of("server"),
                          {kind, KeyExchange::hybrid_first});
    pair.run();
    const bool own = kind == RecordLayerKind::own;
    CHECK(pair.client.handshake.finish().value().records->name() == (own ? "own" : "openssl"));
    CHECK(pair.server.handshake.finish().value().records->name() == (own ? "own" : "openssl"));
  }
}
