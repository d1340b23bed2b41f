// The program's command line. Each command is one function; what they do is elsewhere.
#include "common/admin/version.h"
#include "ztunnel/admin_client.h"
#include "ztunnel/app.h"
#include "ztunnel/check/check.h"
#include "ztunnel/explain/command.h"
#include "ztunnel/flows_command.h"
#include "ztunnel/release.h"
#include "ztunnel/settings.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace aquifer;

constexpr int kUsage = 2;
constexpr int kFailure = 1;

int usage(const std::string& text) {
  fmt::print(stderr, "ztunnel: {}\n", text);
  return kUsage;
}

int proxy(const ztunnel::Settings& settings) {
  if (settings.mesh_path.empty()) {
    return usage(
        "no mesh: give --mesh PATH, a directory of Kubernetes manifests (istiod is not supported "
        "yet)");
  }
  if (settings.node.empty()) return usage("no node: give --node NAME, or set NODE_NAME");
  if (settings.ca_dir.empty())
    return usage("no CA: give --ca-dir DIR, where the mesh's CA is or will be made");
  return ztunnel::App::run(settings);
}

int flows(const ztunnel::FlowsOptions& options) {
  const bool known =
      options.verdict.empty() || options.verdict == "denied" || options.verdict == "allowed";
  if (!known) return usage(fmt::format("--verdict {}: write denied or allowed", options.verdict));
  // It becomes a part of an URL, where names of Kubernetes need no escapes.
  const std::size_t slash = options.pod.find('/');
  const bool pod_ok = options.pod.empty() ||
                      (slash != std::string::npos && slash != 0 && slash + 1 < options.pod.size() &&
                       slash == options.pod.rfind('/') &&
                       options.pod.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-./") ==
                           std::string::npos);
  if (!pod_ok) return usage(fmt::format("--pod {}: write NAMESPACE/NAME", options.pod));
  return ztunnel::flows_command(options);
}

CLI::App* add_explain_command(CLI::App& app, ztunnel::Settings& settings,
                              ztunnel::ExplainArguments& arguments) {
  CLI::App* command = app.add_subcommand("explain", "say what becomes of a connection, and why");
  command->add_option("--mesh", settings.mesh_path, "mesh directory or file");
  command->add_option("--from", arguments.from, "NAMESPACE/POD or IP")->required();
  command->add_option("--to", arguments.to, "HOST:PORT, IP:PORT or [IPV6]:PORT")->required();
  command->add_flag("--plaintext", arguments.plaintext, "as if the source were not captured");
  command->add_option("--server-name", arguments.server_name, "the TLS server name it will give");
  command->add_option("--node", arguments.node, "only the proxy of this node is asked");
  command->add_option("--method", arguments.method, "HTTP method, for waypoints");
  command->add_option("--path", arguments.path, "HTTP path, for waypoints");
  command->add_option("-H", arguments.headers, "HTTP header 'name: value', for waypoints");
  command->add_option("--admin", arguments.admin,
                      "also ask a running ztunnel, http://localhost:15000, for refusals");
  command->add_flag("--json", arguments.json, "as JSON");
  command->add_flag("--verdict-exit", arguments.verdict_exit,
                    "exit code 3 when it is denied or fails");
  return command;
}

int version(bool json) {
  fmt::print("{}\n", json ? admin::version_json("ztunnel") : admin::version_line("ztunnel"));
  return 0;
}

int run(int argc, char** argv) {
  auto environment = ztunnel::settings_from(process_environment());
  if (!environment) return usage(environment.error());
  ztunnel::Settings settings = std::move(*environment);

  CLI::App app("The node proxy of an ambient service mesh.", "ztunnel");
  app.require_subcommand(1);
  CLI::App* proxy_command = app.add_subcommand("proxy", "run the node's proxy");
  proxy_command->add_option("--mesh", settings.mesh_path, "mesh directory or file");
  proxy_command->add_option("--node", settings.node, "name of this node (NODE_NAME)");
  proxy_command->add_option("--ca-dir", settings.ca_dir, "directory of the embedded CA");
  // Istio's DaemonSet says `proxy ztunnel`: words behind the command mean nothing.
  proxy_command->allow_extras();

  ztunnel::CheckOptions check_options;
  CLI::App* check_command = app.add_subcommand("check", "read manifests and say what is wrong");
  check_command->add_option("PATH", check_options.paths, "files and directories of one mesh")
      ->required();
  check_command->add_flag("--json", check_options.json, "as JSON");
  check_command->add_flag("--strict", check_options.strict, "warnings fail the check, too");

  ztunnel::ExplainArguments explain_arguments;
  CLI::App* explain_command = add_explain_command(app, settings, explain_arguments);

  CLI::App* release_command = app.add_subcommand("release", "take capture out of this node's pods");
  release_command->add_option("--mesh", settings.mesh_path, "mesh directory or file");
  release_command->add_option("--node", settings.node, "name of this node (NODE_NAME)");

  ztunnel::FlowsOptions flows_options;
  flows_options.admin_url = ztunnel::kDefaultAdminUrl;
  CLI::App* flows_command = app.add_subcommand(
      "flows", "show the connections of this node as a running ztunnel sees them");
  flows_command->add_flag("--follow,-f", flows_options.follow,
                          "go on: connections as they open, end and are refused");
  flows_command->add_option("--pod", flows_options.pod, "NAMESPACE/NAME: only this pod's");
  flows_command->add_option("--verdict", flows_options.verdict,
                            "denied (the last ones) or allowed");
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
    return usage(fmt::format("{}; see ztunnel --help", error.what()));
  }
  if (proxy_command->parsed()) {
    // Words are ignored, but an option that means nothing is a mistake.
    for (const std::string& word : proxy_command->remaining()) {
      if (word.starts_with("-"))
        return usage(fmt::format("unknown option {}; see ztunnel --help", word));
    }
    return proxy(settings);
  }
  if (check_command->parsed()) return ztunnel::check_mesh(settings, check_options);
  if (explain_command->parsed()) {
    return ztunnel::explain_command(settings, explain_arguments);
  }
  if (release_command->parsed()) return ztunnel::release_node(settings);
  if (flows_command->parsed()) return flows(flows_options);
  if (version_command->parsed()) return version(json);
  return usage("no command; see ztunnel --help");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    // Only libraries throw, and only while starting.
    fmt::print(stderr, "ztunnel: {}\n", error.what());
    return kFailure;
  }
}
