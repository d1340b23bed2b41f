#include "ztunnel/capture/iptables.h"

#include "ztunnel/capture/child_process.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <ranges>
#include <utility>

namespace aquifer::ztunnel {

namespace {

// The lock is held for milliseconds by others; less than kChildTimeout, so that its own message is
// what we report.
constexpr std::string_view kWaitForLock = "--wait=5";
constexpr const char* kLockVariable = "XTABLES_LOCKFILE";

bool is_program(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

bool can_lock(const char* path) {
  return Fd(::open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600)).valid();
}

// Legacy iptables refuses to work without its lock file, which a container with a read-only root
// cannot create. The lock keeps apart programs that see the same file; in a pod's namespace there
// is nobody but us.
std::vector<std::string> environment_for(IptablesVariant variant) {
  std::vector<std::string> environment = {"PATH=" + default_search_path(), "LC_ALL=C"};
  if (const char* chosen = std::getenv(kLockVariable)) {
    environment.push_back(fmt::format("{}={}", kLockVariable, chosen));
  } else if (variant == IptablesVariant::legacy && !can_lock("/run/xtables.lock")) {
    for (const char* candidate : {"/tmp/xtables.lock", "/dev/shm/xtables.lock", "/dev/null"}) {
      if (!can_lock(candidate)) continue;
      environment.push_back(fmt::format("{}={}", kLockVariable, candidate));
      break;
    }
  }
  return environment;
}

// What a program with a plain name is. Those too old to say are legacy.
std::optional<IptablesVariant> variant_of(const std::string& program,
                                          const io::NetworkNamespace& any) {
  const auto outcome = run_in_namespace(any, {{program, "--version"}, {"LC_ALL=C"}, {}});
  if (!outcome || outcome->exit_code != 0) return std::nullopt;
  return outcome->output.contains("nf_tables") ? IptablesVariant::nft : IptablesVariant::legacy;
}

std::unexpected<CaptureError> refused(const std::string& program, const ChildOutcome& outcome) {
  const std::string said = one_line(outcome.errors);
  return capture_fail(
      CaptureFailure::refused,
      fmt::format("{}: {}", program,
                  said.empty() ? fmt::format("exit code {}", outcome.exit_code) : said));
}

}  // namespace

Iptables::Iptables(IptablesVariant variant, std::string folder, std::string_view suffix)
    : variant_(variant),
      folder_(std::move(folder)),
      suffix_(suffix),
      has_ipv6_(is_program(program(Family::ipv6, "save")) &&
                is_program(program(Family::ipv6, "restore"))),
      environment_(environment_for(variant)) {}

std::string Iptables::program(Family family, std::string_view verb) const {
  return fmt::format("{}/{}{}-{}", folder_, family == Family::ipv4 ? "iptables" : "ip6tables",
                     suffix_, verb);
}

std::vector<Iptables> Iptables::find(std::string_view search_path,
                                     const io::NetworkNamespace& any) {
  std::vector<Iptables> found;
  for (const std::string_view suffix : {"", "-nft", "-legacy"}) {
    for (const auto piece : search_path | std::views::split(':')) {
      const std::string folder(piece.begin(), piece.end());
      const std::string restore = fmt::format("{}/iptables{}-restore", folder, suffix);
      if (folder.empty() || !is_program(restore) ||
          !is_program(fmt::format("{}/iptables{}-save", folder, suffix))) {
        continue;
      }
      const auto variant = variant_of(restore, any);
      const bool known =
          std::ranges::any_of(found, [&](const Iptables& one) { return one.variant() == variant; });
      if (variant && !known) found.push_back(Iptables(*variant, folder, suffix));
      break;
    }
  }
  return found;
}

std::string Iptables::description() const {
  return fmt::format("{} ({})", program(Family::ipv4, "restore"), name_of(variant_));
}

CaptureResult<SavedRules> Iptables::save(const io::NetworkNamespace& where, Family family) const {
  if (variant_ == IptablesVariant::legacy && legacy_table_names(where, family).empty()) {
    return SavedRules{};
  }
  const std::string path = program(family, "save");
  auto outcome = run_in_namespace(where, {{path}, environment_, {}});
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  if (outcome->exit_code != 0) return refused(path, *outcome);
  return parse_saved_rules(outcome->output);
}

CaptureStatus Iptables::restore(const io::NetworkNamespace& where, Family family,
                                const std::string& script) const {
  if (script.empty()) return {};
  const std::string path = program(family, "restore");
  const auto outcome = run_in_namespace(
      where, {{path, "--noflush", std::string(kWaitForLock)}, environment_, script});
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->exit_code != 0) return refused(path, *outcome);
  return {};
}

std::vector<std::string> legacy_table_names(const io::NetworkNamespace& where, Family family) {
  std::vector<std::string> names;
  const auto inside = io::NamespaceGuard::enter(where);
  if (!inside) return names;
  std::ifstream list(family == Family::ipv4 ? "/proc/thread-self/net/ip_tables_names"
                                            : "/proc/thread-self/net/ip6_tables_names");
  for (std::string name; list >> name;) names.push_back(std::move(name));
  return names;
}

std::string default_search_path() {
  const char* path = std::getenv("PATH");
  return std::string(path == nullptr ? "" : path) +
         ":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
}

std::string_view name_of(IptablesVariant variant) noexcept {
  return variant == IptablesVariant::nft ? "nft" : "legacy";
}

}  // namespace aquifer::ztunnel
