// The program's command line. Each command is one function; what they do is elsewhere.
#include "common/admin/version.h"
#include "waypoint/app.h"
#include "waypoint/flows_command.h"
#include "waypoint/settings.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>

namespace {

using namespace aquifer;

constexpr int kUsage = 2;
constexpr int kFailure = 1;

int usage(const std::string& text) {
  fmt::print(stderr, "waypoint: {}\n", text);
  return kUsage;
}

int proxy(const waypoint::Settings& settings) {
  if (settings.mesh_path.empty()) {
    return usage(
        "no mesh: give --mesh PATH, a directory of Kubernetes manifests (istiod is not supported "
        "yet)");
  }
  const std::size_t slash = settings.gateway.find('/');
  const bool named = slash != std::string::npos && slash != 0 &&
                     slash + 1 < settings.gateway.size() && slash == settings.gateway.rfind('/');
  if (!named) return usage("no gateway: give --gateway NAMESPACE/NAME, as the mesh has it");
  if (settings.ca_dir.empty())
    return usage("no CA: give --ca-dir DIR, where the mesh's CA is or will be made");
  return waypoint::App::run(settings);
}

int flows(const waypoint::FlowsOptions& options) {
  const auto is_one_of = [](std::string_view word, std::initializer_list<std::string_view> words) {
    return word.empty() || std::ranges::find(words, word) != words.end();
  };
  if (!is_one_of(options.event, {"answered", "failed", "refused"}))
    return usage(fmt::format("--event {}: write answered, failed or refused", options.event));
  if (!options.follow && !is_one_of(options.event, {"refused"}))
    return usage(
        fmt::format("--event {} is known only when it happens: add --follow", options.event));
  // It becomes a part of an URL, where host names need no escapes.
  constexpr std::string_view kHostName = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  if (options.service.find_first_not_of(kHostName) != std::string::npos)
    return usage(fmt::format("--service {}: write its host name", options.service));
  return waypoint::flows_command(options);
}

int run(int argc, char** argv) {
  auto environment = waypoint::settings_from(process_environment());
  if (!environment) return usage(environment.error());
  waypoint::Settings settings = std::move(*environment);

  CLI::App app("A waypoint of an ambient service mesh.", "waypoint");
  app.require_subcommand(1);
  CLI::App* proxy_command = app.add_subcommand("proxy", "run the waypoint");
  proxy_command->add_option("--mesh", settings.mesh_path, "mesh directory or file");
  proxy_command->add_option("--gateway", settings.gateway, "NAMESPACE/NAME of its Gateway");
  proxy_command->add_option("--ca-dir", settings.ca_dir, "directory of the embedded CA");
  std::string plain;
  proxy_command->add_option("--plain", plain,
                            "also take requests in the clear: PORT=NAMESPACE/HOSTNAME:PORT");
  // Istio's Deployment says `proxy waypoint --domain ...`: these mean nothing here.
  proxy_command->allow_extras();
  waypoint::FlowsOptions flows_options;
  CLI::App* flows_command = app.add_subcommand("flows", "show the requests of a running waypoint");
  flows_command->add_flag("--follow,-f", flows_options.follow, "go on: requests as they end");
  flows_command->add_option("--service", flows_options.service, "HOST: only this service's");
  flows_command->add_option("--event", flows_options.event,
                            "refused (the last ones); with --follow also answered or failed");
  flows_command->add_flag("--json", flows_options.json, "as JSON");
  flows_command->add_option("--admin", flows_options.admin_url, "the admin port to ask");
  bool json = false;
  CLI::App* version_command = app.add_subcommand("version", "say what this build is");
  version_command->add_flag("--json", json, "as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return usage(fmt::format("{}; see waypoint --help", error.what()));
  }
  if (version_command->parsed()) {
    fmt::print("{}\n", json ? admin::version_json("waypoint") : admin::version_line("waypoint"));
    return 0;
  }
  if (flows_command->parsed()) return flows(flows_options);
  if (!plain.empty()) {
    const auto service = waypoint::parse_plain_service(plain);
    if (!service)
      return usage(fmt::format("--plain {}: write PORT=NAMESPACE/HOSTNAME:PORT", plain));
    settings.plain = *service;
  }
  return proxy(settings);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "waypoint: {}\n", error.what());
    return kFailure;
  }
}
