// TLS figures on one core: records sealed and opened per second by OpenSSL's layer and ours,
// handshakes per second, and what an idle connection holds.
#include "common/io/chunk_queue.h"
#include "common/tls/context.h"
#include "common/tls/handshake.h"
#include "common/tls/issue.h"

#include <fmt/format.h>

#include <malloc.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>
#include <vector>

using namespace aquifer;
using namespace aquifer::tls;

namespace {

using Seconds = std::chrono::duration<double>;

// The thread's own time: the figures are about our code, not about the machine's neighbours.
Seconds cpu_now() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return Seconds(static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9);
}

struct Mesh {
  CertificateBundle client;
  CertificateBundle server;
  std::vector<SpiffeId> expected;
};

CertificateBundle bundle_of(const Signer& root, std::string_view who) {
  const auto id = SpiffeId::make("cluster.local", "default", who).value();
  const WallTime now = WallClock::now();
  auto key = PrivateKey::generate_p256().value();
  const LeafTerms terms{id.to_string(), now - std::chrono::hours(1), now + std::chrono::hours(1),
                        LeafUsage::client_and_server};
  auto leaf = issue_leaf(root, key, terms).value();
  return {std::move(key), {std::move(leaf)}, {root.certificate}};
}

Mesh make_mesh() {
  const auto key = PrivateKey::generate_p256().value();
  const WallTime now = WallClock::now();
  const CaTerms terms{"cluster.local", "", now - std::chrono::hours(1),
                      now + std::chrono::hours(24), ""};
  const Signer root{issue_root(key, terms).value(), key};
  return {bundle_of(root, "client"),
          bundle_of(root, "server"),
          {SpiffeId::make("cluster.local", "default", "server").value()}};
}

struct Contexts {
  Contexts(const Mesh& mesh, RecordLayerKind kind)
      : client(ClientContext::create(mesh.client, {kind, KeyExchange::hybrid_first}).value()),
        server(ServerContext::create(mesh.server, {kind, KeyExchange::hybrid_first}).value()),
        expected(mesh.expected) {}
  std::shared_ptr<const ClientContext> client;
  std::shared_ptr<const ServerContext> server;
  std::vector<SpiffeId> expected;
};

void carry(Handshake& to, io::ChunkQueue& from, io::ChunkQueue& out) {
  while (!from.empty()) {
    ByteView piece = from.front();
    const std::size_t size = piece.size();
    (void)to.step(piece, out).value();
    from.consume(size);
  }
}

std::pair<Established, Established> connect(const Contexts& contexts) {
  auto client = Handshake::client(contexts.client, contexts.expected).value();
  auto server = Handshake::server(contexts.server).value();
  io::ChunkQueue to_server;
  io::ChunkQueue to_client;
  ByteView nothing;
  (void)client.step(nothing, to_server).value();
  carry(server, to_server, to_client);
  carry(client, to_client, to_server);
  carry(server, to_server, to_client);
  return {client.finish().value(), server.finish().value()};
}

double gigabytes_per_second(const Contexts& contexts, std::size_t bytes, bool opening) {
  auto [client, server] = connect(contexts);
  const std::vector<std::uint8_t> payload(bytes, 'x');
  std::vector<std::uint8_t> plaintext(256 * 1024);
  const std::vector<ByteView> pieces = {payload};
  // As many in a row as a busy tunnel has, so that reading the clock does not count.
  const std::size_t repeats = std::max<std::size_t>(1, 128 * 1024 / bytes);
  Seconds spent{0};
  std::size_t done = 0;
  while (spent < Seconds(1)) {
    io::ChunkQueue out;
    auto start = cpu_now();
    for (std::size_t i = 0; i < repeats; ++i) (void)client.records->seal(pieces, out);
    if (!opening) spent += cpu_now() - start;
    io::ChunkQueue reply;
    start = cpu_now();
    while (!out.empty()) {
      ByteView piece = out.front();
      const std::size_t size = piece.size();
      while (!piece.empty()) (void)server.records->open(piece, plaintext, reply).value();
      out.consume(size);
    }
    if (opening) spent += cpu_now() - start;
    done += bytes * repeats;
  }
  return static_cast<double>(done) / 1e9 / spent.count();
}

std::size_t heap_bytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

void idle_bytes(const Contexts& contexts, const char* name) {
  constexpr std::size_t kConnections = 500;
  // Once, so that what is made lazily for the process is not counted.
  {
    auto warm = connect(contexts);
  }
  std::vector<Established> clients;
  std::vector<Established> servers;
  clients.reserve(kConnections);
  servers.reserve(kConnections);
  const std::size_t before = heap_bytes();
  for (std::size_t i = 0; i < kConnections; ++i) {
    auto [client, server] = connect(contexts);
    // Some data, so that the buffers of a used connection are counted.
    const std::vector<ByteView> pieces = {as_bytes("hello")};
    io::ChunkQueue out;
    io::ChunkQueue reply;
    std::array<std::uint8_t, 64> plaintext;
    (void)client.records->seal(pieces, out);
    ByteView piece = out.front();
    (void)server.records->open(piece, plaintext, reply);
    clients.push_back(std::move(client));
    servers.push_back(std::move(server));
  }
  const std::size_t both = heap_bytes();
  clients.clear();
  const std::size_t server_only = heap_bytes();
  fmt::print("{:8} idle: client {} bytes, server {} bytes\n", name,
             (both - server_only) / kConnections, (server_only - before) / kConnections);
}

void handshakes(const Contexts& contexts, const char* name) {
  const auto start = cpu_now();
  int count = 0;
  std::string_view group;
  while (cpu_now() - start < Seconds(1)) {
    group = connect(contexts).first.peer.group;
    ++count;
  }
  const Seconds spent = cpu_now() - start;
  fmt::print("{:8} handshakes: {:.0f}/s, {:.0f} us for both ends ({})\n", name,
             count / spent.count(), spent.count() * 1e6 / count, group);
}

}  // namespace

int main() {
  const Mesh mesh = make_mesh();
  for (const auto& [kind, name] :
       {std::pair{RecordLayerKind::openssl, "openssl"}, {RecordLayerKind::own, "own"}}) {
    const Contexts contexts(mesh, kind);
    for (const std::size_t bytes :
         {std::size_t{100}, std::size_t{16 * 1024}, std::size_t{128 * 1024}}) {
      fmt::print("{:8} {:6} bytes: seal {:.3f} GB/s, open {:.3f} GB/s\n", name, bytes,
                 gigabytes_per_second(contexts, bytes, false),
                 gigabytes_per_second(contexts, bytes, true));
    }
    handshakes(contexts, name);
    idle_bytes(contexts, name);
  }
  return 0;
}
