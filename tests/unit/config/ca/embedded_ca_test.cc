#include "config/ca/embedded_ca.h"

#include "tests/unit/common/tls/test_mesh.h"
#include "tests/unit/config/ca/temp_dir.h"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <optional>

using namespace aquifer;
using namespace aquifer::ca;
using aquifer::testing::TempDir;
using namespace aquifer::tls::testing;

namespace {

EmbeddedCaOptions options_of(const TempDir& dir) {
  EmbeddedCaOptions options;
  options.directory = dir.path();
  return options;
}

std::unique_ptr<EmbeddedCa> open_ca(const TempDir& dir) {
  auto ca = EmbeddedCa::open(options_of(dir));
  REQUIRE_MESSAGE(ca, ca.error().text);
  return std::move(*ca);
}

tls::CertificateBundle issue(EmbeddedCa& ca, const SpiffeId& identity) {
  std::optional<CertResult> answer;
  ca.request(identity, [&](CertResult result) { answer = std::move(result); });
  REQUIRE(answer);
  REQUIRE_MESSAGE(*answer, answer->error().text);
  return std::move(**answer);
}

std::string refusal_of(const TempDir& dir) {
  auto ca = EmbeddedCa::open(options_of(dir));
  REQUIRE_FALSE(ca);
  CHECK(ca.error().error.source == ErrorSource::config);
  return ca.error().text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

void write_ca(const TempDir& dir, const tls::Signer& signer) {
  dir.write("ca-cert.pem", signer.certificate.to_pem());
  dir.write("ca-key.pem", signer.key.to_pem());
  ::chmod((dir / "ca-key.pem").c_str(), 0600);
}

tls::Signer rsa_root() {
  const auto key = tls::PrivateKey::generate_rsa(2048).value();
  return {tls::issue_root(key, ca_terms("theirs")).value(), key};
}

tls::Signer below(const tls::Signer& root) {
  const auto key = tls::PrivateKey::generate_p256().value();
  return {tls::issue_intermediate(root, key, ca_terms("middle")).value(), key};
}

}  // namespace

TEST_CASE("an empty directory gets a CA whose key only its owner may read") {
  const TempDir dir;
  const auto ca = open_ca(dir);
  CHECK(ca->roots().size() == 1);
  CHECK(ca->warnings().empty());
  struct stat status{};
  REQUIRE(::stat((dir / "aquifer-ca.pem").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(dir.read("aquifer-root-cert.pem") == ca->roots().front().to_pem());
}

TEST_CASE("a missing directory is made, parents too") {
  const TempDir dir;
  EmbeddedCaOptions options;
  options.directory = dir / "a/b";
  REQUIRE(EmbeddedCa::open(options));
  struct stat status{};
  REQUIRE(::stat(options.directory.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("nodes that share a directory share the CA") {
  const TempDir dir;
  const auto one = open_ca(dir);
  const auto two = open_ca(dir);
  CHECK(one->roots() == two->roots());
  auto pair =
      make_pair(issue(*one, id_of("client")), issue(*two, id_of("server")), id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("processes that make the CA at the same moment end with one") {
  constexpr int kProcesses = 6;
  for (int round = 0; round < 5; ++round) {
    const TempDir dir;
    int gate[2];
    int answers[2];
    REQUIRE(::pipe(gate) == 0);
    REQUIRE(::pipe(answers) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < kProcesses; ++i) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        // All wait for the gate to close, then run at once.
        ::close(gate[1]);
        char byte = 0;
        (void)!::read(gate[0], &byte, 1);
        auto ca = EmbeddedCa::open(options_of(dir));
        const std::string serial = ca ? (*ca)->roots().front().serial() + "\n" : ca.error().text;
        (void)!::write(answers[1], serial.data(), serial.size());
        ::_exit(ca ? 0 : 1);
      }
      children.push_back(child);
    }
    ::close(gate[0]);
    ::close(gate[1]);
    ::close(answers[1]);
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK(status == 0);
    }
    std::string said;
    char block[4096];
    for (ssize_t count = 0; (count = ::read(answers[0], block, sizeof block)) > 0;) {
      said.append(block, static_cast<std::size_t>(count));
    }
    ::close(answers[0]);
    std::string expected;
    const std::string line = open_ca(dir)->roots().front().serial() + "\n";
    for (int i = 0; i < kProcesses; ++i) expected += line;
    CHECK(said == expected);
  }
}

TEST_CASE("a leaf is ECDSA, valid from a little before now for its lifetime, leaf first") {
  const TempDir dir;
  const tls::WallTime now = std::chrono::floor<std::chrono::seconds>(tls::WallClock::now());
  auto options = options_of(dir);
  options.now = [now] { return now; };
  options.leaf_lifetime = std::chrono::hours(6);
  const auto ca = EmbeddedCa::open(options).value();
  const auto bundle = issue(*ca, id_of("web"));
  REQUIRE(bundle.chain.size() == 1);
  CHECK(bundle.leaf().spiffe_ids() == std::vector{id_of("web")});
  CHECK(bundle.leaf().not_after() == now + std::chrono::hours(6));
  CHECK(bundle.leaf().not_before() == now - std::chrono::minutes(2));
  CHECK(bundle.leaf().issued_by(ca->signer().certificate));
  CHECK(tls::verify_bundle(bundle, now));
  CHECK_FALSE(issue(*ca, id_of("web")).key.to_pem() == bundle.key.to_pem());
}

TEST_CASE("a leaf never outlives its CA") {
  const TempDir dir;
  write_ca(dir, make_root("theirs"));  // ends in 24 hours
  auto options = options_of(dir);
  options.leaf_lifetime = std::chrono::hours(48);
  const auto ca = EmbeddedCa::open(options).value();
  CHECK(issue(*ca, id_of("web")).leaf().not_after() == ca->signer().certificate.not_after());
}

TEST_CASE("the user's RSA CA signs, and none is made") {
  const TempDir dir;
  const auto signer = rsa_root();
  write_ca(dir, signer);
  dir.write("root-cert.pem", signer.certificate.to_pem());
  dir.write("cert-chain.pem", signer.certificate.to_pem());
  const auto ca = open_ca(dir);
  CHECK(ca->roots() == std::vector{signer.certificate});
  CHECK_FALSE(std::filesystem::exists(dir / "aquifer-ca.pem"));
  auto pair = make_pair(issue(*ca, id_of("client")), issue(*ca, id_of("server")), id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("the user's root alone is enough: it is its own chain") {
  const TempDir dir;
  const auto signer = make_root("theirs");
  write_ca(dir, signer);
  CHECK(open_ca(dir)->roots() == std::vector{signer.certificate});
}

TEST_CASE(
    "below the user's intermediates a leaf brings the whole way to the root, and not the root") {
  const TempDir dir;
  const auto root = rsa_root();
  const auto upper = below(root);
  const auto lower = below(upper);
  write_ca(dir, lower);
  // As Istio's documentation makes it: signer, what is between, root.
  dir.write("cert-chain.pem",
            lower.certificate.to_pem() + upper.certificate.to_pem() + root.certificate.to_pem());
  dir.write("root-cert.pem", root.certificate.to_pem());
  const auto ca = open_ca(dir);
  const auto bundle = issue(*ca, id_of("client"));
  REQUIRE(bundle.chain.size() == 3);
  CHECK(bundle.chain[1] == lower.certificate);
  CHECK(bundle.chain[2] == upper.certificate);
  auto pair = make_pair(bundle, issue(*ca, id_of("server")), id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("all of several roots are trusted") {
  const TempDir dir;
  const auto ours = make_root("ours");
  const auto other = make_root("other");
  write_ca(dir, ours);
  dir.write("root-cert.pem", ours.certificate.to_pem() + other.certificate.to_pem());
  const auto ca = open_ca(dir);
  CHECK(ca->roots().size() == 2);
  auto peer = bundle_of(other, id_of("server"));
  peer.roots = ca->roots();
  auto pair = make_pair(issue(*ca, id_of("client")), peer, id_of("server"));
  pair.run();
  CHECK(pair.client.done);
  CHECK(pair.server.done);
}

TEST_CASE("a key of another certificate is refused, naming both files") {
  const TempDir dir;
  write_ca(dir, {make_root().certificate, tls::PrivateKey::generate_p256().value()});
  const auto text = refusal_of(dir);
  CHECK(contains(text, dir / "ca-key.pem"));
  CHECK(contains(text, "is not the key of " + (dir / "ca-cert.pem")));
}

TEST_CASE("a certificate without its key is refused, naming the missing file") {
  const TempDir dir;
  dir.write("ca-cert.pem", make_root().certificate.to_pem());
  CHECK(contains(refusal_of(dir), (dir / "ca-key.pem") + ": is missing"));
}

TEST_CASE("a root certificate alone is refused rather than ignored") {
  const TempDir dir;
  dir.write("root-cert.pem", make_root().certificate.to_pem());
  CHECK(contains(refusal_of(dir),
                 (dir / "ca-cert.pem") + ": is missing, though " + (dir / "root-cert.pem")));
}

TEST_CASE("an expired CA is refused with its date") {
  const TempDir dir;
  const auto key = tls::PrivateKey::generate_p256().value();
  auto terms = ca_terms("old");
  terms.not_before -= std::chrono::hours(48);
  terms.not_after = terms.not_before + std::chrono::hours(1);
  write_ca(dir, {tls::issue_root(key, terms).value(), key});
  const auto text = refusal_of(dir);
  CHECK(contains(text, (dir / "ca-cert.pem") + ": expired on 20"));
  CHECK(contains(text, "replace it"));
}

TEST_CASE("a leaf certificate is refused as a CA") {
  const TempDir dir;
  const auto bundle = bundle_of(make_root(), id_of("web"));
  write_ca(dir, {bundle.leaf(), bundle.key});
  CHECK(contains(refusal_of(dir), "is not a CA certificate"));
}

TEST_CASE("an intermediate without its root is refused") {
  const TempDir dir;
  write_ca(dir, below(make_root()));
  CHECK(contains(refusal_of(dir), (dir / "root-cert.pem") + ": is missing"));
}

TEST_CASE("a root that has nothing to do with the CA is refused") {
  const TempDir dir;
  write_ca(dir, below(make_root("real")));
  dir.write("root-cert.pem", make_root("unrelated").certificate.to_pem());
  const auto text = refusal_of(dir);
  CHECK(contains(text, "does not lead to a certificate in " + (dir / "root-cert.pem")));
}

TEST_CASE("files that are no PEM are refused by name") {
  const TempDir dir;
  write_ca(dir, make_root());
  dir.write("ca-key.pem", "rubbish");
  CHECK(contains(refusal_of(dir), (dir / "ca-key.pem") + ": holds no readable PEM private key"));
}

TEST_CASE("a half-written own CA is refused rather than replaced") {
  const TempDir dir;
  (void)open_ca(dir);
  const auto whole = dir.read("aquifer-ca.pem");
  dir.write("aquifer-ca.pem", whole.substr(0, whole.size() / 2));
  CHECK(contains(refusal_of(dir), dir / "aquifer-ca.pem"));
}

TEST_CASE("a key that others may read is used with a warning that names the mend") {
  const TempDir dir;
  write_ca(dir, make_root());
  ::chmod((dir / "ca-key.pem").c_str(), 0644);
  const auto ca = open_ca(dir);
  REQUIRE(ca->warnings().size() == 2);
  CHECK(contains(ca->warnings()[0], "ends on"));
  CHECK(contains(ca->warnings()[1], "chmod 600"));
}

TEST_CASE("a path that is a file is refused in one line") {
  const TempDir dir;
  dir.write("file", "x");
  EmbeddedCaOptions options;
  options.directory = dir / "file";
  const auto ca = EmbeddedCa::open(options);
  REQUIRE_FALSE(ca);
  CHECK(contains(ca.error().text, "irectory"));
}
