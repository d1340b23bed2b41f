// Handshakes with peers that are not ours and break a rule of the mesh.
#include "common/tls/peer_check.h"
#include "tests/unit/common/tls/raw_peer.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::tls;
using namespace aquifer::tls::testing;

namespace {

constexpr const char* kH2 = "\x02h2";
constexpr const char* kHttp11 = "\x08http/1.1";

struct Fixture {
  Signer root = make_root();
  CertificateBundle client = bundle_of(root, id_of("client"));
  CertificateBundle server = bundle_of(root, id_of("server"));

  End our_server() { return End(Handshake::server(ServerContext::create(server).value()).value()); }
  End our_client() {
    const std::vector expected = {id_of("server")};
    return End(Handshake::client(ClientContext::create(client).value(), expected).value());
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a foreign client that keeps the rules is accepted") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kH2);
  auto ours = our_server();
  CHECK(shake(raw, ours, Side::server));
  CHECK(ours.done);
}

TEST_CASE_FIXTURE(Fixture,
                  "a client without a certificate is refused, and hears that one is required") {
  RawPeer raw(Side::client);
  raw.set_alpn(kH2);
  auto ours = our_server();
  shake(raw, ours, Side::server);
  REQUIRE(ours.error);
  CHECK(ours.error->code == Errc::identity);
  CHECK(contains(ours.reason, "peer did not return a certificate"));
  std::string alert;
  (void)raw.read(&alert);
  CHECK(contains(alert, "certificate required"));
}

TEST_CASE_FIXTURE(Fixture,
                  "a client that speaks TLS 1.2 at most is refused with protocol_version") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kH2);
  SSL_CTX_set_max_proto_version(raw.context(), TLS1_2_VERSION);
  auto ours = our_server();
  CHECK_FALSE(shake(raw, ours, Side::server));
  REQUIRE(ours.error);
  CHECK(ours.error->code == Errc::tls);
  CHECK(contains(ours.reason, "unsupported protocol"));
  CHECK(contains(raw.failure(), "protocol version"));
}

TEST_CASE_FIXTURE(Fixture,
                  "a client that offers only http/1.1 is refused with no_application_protocol") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kHttp11);
  auto ours = our_server();
  CHECK_FALSE(shake(raw, ours, Side::server));
  REQUIRE(ours.error);
  CHECK(ours.reason == "the client does not speak h2");
  CHECK(contains(raw.failure(), "no application protocol"));
}

TEST_CASE_FIXTURE(Fixture, "a client that offers no protocol at all is refused too") {
  RawPeer raw(Side::client, &client);
  auto ours = our_server();
  CHECK_FALSE(shake(raw, ours, Side::server));
  REQUIRE(ours.error);
  CHECK(ours.reason == "the client does not speak h2");
  CHECK(contains(raw.failure(), "no application protocol"));
}

TEST_CASE_FIXTURE(Fixture, "a client that offers h2 among others is served h2") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(std::string(kHttp11) + kH2);
  auto ours = our_server();
  CHECK(shake(raw, ours, Side::server));
  CHECK(speaks_h2(raw.ssl()));
}

TEST_CASE_FIXTURE(Fixture, "a client that has only ChaCha20 is refused") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kH2);
  SSL_CTX_set_ciphersuites(raw.context(), "TLS_CHACHA20_POLY1305_SHA256");
  auto ours = our_server();
  CHECK_FALSE(shake(raw, ours, Side::server));
  REQUIRE(ours.error);
  CHECK(contains(ours.reason, "no shared cipher"));
}

TEST_CASE_FIXTURE(Fixture, "a client that has only AES-128 is served with it") {
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kH2);
  SSL_CTX_set_ciphersuites(raw.context(), "TLS_AES_128_GCM_SHA256");
  auto ours = our_server();
  CHECK(shake(raw, ours, Side::server));
  REQUIRE(ours.done);
  CHECK(ours.handshake.finish().value().peer.cipher == "TLS_AES_128_GCM_SHA256");
}

TEST_CASE_FIXTURE(Fixture, "the groups are X25519, P-256 and P-384, and no other") {
  for (const auto& [group, name] :
       {std::pair{"X25519", "X25519"}, {"P-256", "P-256"}, {"P-384", "P-384"}}) {
    RawPeer raw(Side::client, &client);
    raw.set_alpn(kH2);
    SSL_CTX_set1_groups_list(raw.context(), group);
    auto ours = our_server();
    CHECK(shake(raw, ours, Side::server));
    REQUIRE(ours.done);
    CHECK(ours.handshake.finish().value().peer.group == name);
  }
  RawPeer raw(Side::client, &client);
  raw.set_alpn(kH2);
  SSL_CTX_set1_groups_list(raw.context(), "P-521");
  auto ours = our_server();
  CHECK_FALSE(shake(raw, ours, Side::server));
  CHECK(ours.error);
}

TEST_CASE_FIXTURE(
    Fixture,
    "a server that answers http/1.1 or nothing is refused before our certificate is shown") {
  for (const char* protocol : {kHttp11, ""}) {
    RawPeer raw(Side::server, &server);
    SSL_CTX_set_verify(raw.context(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    if (*protocol != '\0') raw.set_alpn(protocol);
    auto ours = our_client();
    CHECK_FALSE(shake(raw, ours, Side::client));
    REQUIRE(ours.error);
    // A protocol that was not offered is refused by OpenSSL itself.
    CHECK((contains(ours.reason, "h2") || contains(ours.reason, "bad extension")));
    CHECK(SSL_get0_peer_certificate(raw.ssl()) == nullptr);
  }
}

TEST_CASE_FIXTURE(Fixture, "a server that is not who was expected never sees our certificate") {
  const auto impostor = bundle_of(root, id_of("impostor"));
  RawPeer raw(Side::server, &impostor);
  SSL_CTX_set_verify(raw.context(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  raw.set_alpn(kH2);
  auto ours = our_client();
  CHECK_FALSE(shake(raw, ours, Side::client));
  REQUIRE(ours.error);
  CHECK(ours.error->code == Errc::identity);
  CHECK(SSL_get0_peer_certificate(raw.ssl()) == nullptr);
}

TEST_CASE_FIXTURE(Fixture, "a server without any SPIFFE identity is refused") {
  const auto plain = bundle_of(root, leaf_terms("https://server.example/"));
  RawPeer raw(Side::server, &plain);
  raw.set_alpn(kH2);
  auto ours = our_client();
  CHECK_FALSE(shake(raw, ours, Side::client));
  CHECK(contains(ours.reason, "no SPIFFE identity"));
}

TEST_CASE_FIXTURE(Fixture, "our client hello names no server and offers no ticket") {
  RawPeer raw(Side::server, &server);
  raw.set_alpn(kH2);
  auto ours = our_client();
  REQUIRE(shake(raw, ours, Side::client));
  CHECK(SSL_get_servername(raw.ssl(), TLSEXT_NAMETYPE_host_name) == nullptr);
  CHECK(SSL_session_reused(raw.ssl()) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a server's tickets are taken and forgotten") {
  for (const auto records : {RecordLayerKind::openssl, RecordLayerKind::own}) {
    RawPeer with_tickets(Side::server, &server);
    with_tickets.set_alpn(kH2);
    SSL_CTX_set_num_tickets(with_tickets.context(), 2);
    const std::vector expected = {id_of("server")};
    End ours(
        Handshake::client(
            ClientContext::create(client, {records, KeyExchange::hybrid_first}).value(), expected)
            .value());
    REQUIRE(shake(with_tickets, ours, Side::client));
    with_tickets.send("hello");
    const auto more = with_tickets.take_output();
    ours.unread.insert(ours.unread.end(), more.begin(), more.end());
    REQUIRE(ours.unread.size() > 200);  // the tickets are there
    auto established = ours.handshake.finish().value();
    ByteView rest = ours.unread;
    std::array<std::uint8_t, 64> plaintext;
    io::ChunkQueue reply;
    const auto count = established.records->open(rest, plaintext, reply);
    REQUIRE(count);
    CHECK(as_text(ByteView(plaintext).first(*count)) == "hello");
    CHECK(reply.empty());
  }
}
