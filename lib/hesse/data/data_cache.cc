#include "hesse/data/data_cache.h"

#include "hesse/core/error.h"
#include "hesse/core/options.h"
#include "hesse/data/data_file.h"
#include "hesse/data/sha256.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace hesse {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Where `cmake --install` and the Debian package put what goes with a program in PREFIX/bin: PREFIX/share/hesse.
fs::path installed_folder() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "hesse";
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// By the script of an installed program, else by that of the source tree.
std::string fetch_command(std::string_view set) {
  const fs::path script = fs::path("scripts") / "fetch_data.sh";
  const fs::path installed = installed_folder() / script;
  return fmt::format("{} {}", is_file(installed) ? installed.string() : script.string(), set);
}

/// The file in the cache, else beside the installed program, else in the package's folder, else empty.
fs::path find_file(const FetchedSet& set, std::string_view file, const std::string& cache) {
  const fs::path cached = fs::path(cache) / set.name / file;
  if (is_file(cached)) return cached;
  const fs::path beside = installed_folder() / "data" / set.name / file;
  if (is_file(beside)) return beside;
  const fs::path installed = fs::path(set.system_folder) / file;
  if (!set.system_folder.empty() && is_file(installed)) return installed;
  return {};
}

const FetchedSet& set_named(std::string_view name) {
  std::vector<std::string> names;
  for (const FetchedSet& set : fetched_sets()) {
    if (set.name == name) return set;
    names.push_back(set.name);
  }
  fail("there is no fetched data set '{}'{}; there are {}", name, suggestion(name, names), fmt::join(names, ", "));
}

SetStatus status_of(const FetchedSet& set, const std::string& cache, bool verify) {
  SetStatus status;
  status.name = set.name;
  status.state = SetState::present;
  status.verified = verify;
  status.path = (fs::path(cache) / set.name).string();
  status.fetch_command = fetch_command(set.name);
  const auto note = [&](SetState state, const std::string& detail) {
    if (status.state != SetState::present) return;
    status.state = state;
    status.detail = detail;
  };
  for (const PinnedFile& file : set.files) {
    const fs::path path = find_file(set, file.name, cache);
    if (path.empty()) {
      note(SetState::missing, fmt::format("{} is missing", file.name));
      continue;
    }
    status.path = path.parent_path().string();
    std::error_code ignored;
    const std::uintmax_t size = fs::file_size(path, ignored);
    if (!ignored) status.bytes += size;
    if (!verify) continue;
    try {
      const std::string digest = sha256(FileBytes(path.string()).view());
      if (digest != file.sha256) {
        note(SetState::corrupt, fmt::format("{} has SHA-256 {} instead of {}", path.string(), digest, file.sha256));
      }
    } catch (const Error& error) {
      note(SetState::corrupt, error.what());
    }
  }
  return status;
}

}  // namespace

std::string data_cache_dir() {
  if (const std::string own = environment("HESSE_DATA_DIR"); !own.empty()) return own;
  if (const std::string xdg = environment("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/hesse/data";
  if (const std::string home = environment("HOME"); !home.empty()) return home + "/.cache/hesse/data";
  return fmt::format("/var/tmp/hesse-{}/data", ::getuid());
}

const std::vector<FetchedSet>& fetched_sets() {
  // scripts/fetch_data.sh holds the same table.
  static const std::vector<FetchedSet> sets = {
      {"fashion-mnist",
       {{"train-images-idx3-ubyte.gz", "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"},
        {"train-labels-idx1-ubyte.gz", "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"},
        {"t10k-images-idx3-ubyte.gz", "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"},
        {"t10k-labels-idx1-ubyte.gz", "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"}},
       "/usr/share/datasets/fashion-mnist"},
      {"mnist",
       {{"train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
        {"train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
        {"t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
        {"t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       ""},
      {"digits", {{"digits.csv.gz", "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"}}, ""},
      {"breast-cancer",
       {{"breast_cancer.csv", "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"}},
       ""},
      {"nist",
       {{"Bennett5.dat", "b34d160605b959c301d13aac6627b693743d32ad98a6c4f830a3f728cdff0f52"},
        {"BoxBOD.dat", "fc44fbed04e3be16df6498e722d4c8aedfd0af210110bc396d9f99acecd77e21"},
        {"Chwirut1.dat", "d9a055dfe5af71a8754c00f073ef00f8fed2e3fd1c6fd20cea8fd62d7cc3ed84"},
        {"Chwirut2.dat", "c37e5522a34f9a57e18d7d10f8736202eabc0c33b8e7ad0010e618db04b57411"},
        {"DanWood.dat", "5eae83de8b34e34c631a5738d640183b0628913e728437ae77f066e832186e24"},
        {"ENSO.dat", "0c644f45b0e586cb1bb0613bad68f63c704efadacd086e768468d33d83f3e5d9"},
        {"Eckerle4.dat", "8ec2133b29a0a7cecbfccd51f7c61ee432f73c460bf5ce7106d672642e57a61e"},
        {"Gauss1.dat", "20d0b85ffc73681ce9bdd69c566e53969a65e0e2192c3de16ad4a1dcfdca6c27"},
        {"Gauss2.dat", "24fe86801c35c4f86140cced68894e31d73b6ed5738cf698474144f94bae3640"},
        {"Gauss3.dat", "24842a9e795db59c2c6cbc4c11047f90faedad014f8146faa6b5555259958d6d"},
        {"Hahn1.dat", "7e885af48e18a222033a66cb22b491f0f5bc761b652142c0d9b28132daf63956"},
        {"Kirby2.dat", "cbd288dd9d8586ec97ca408277d1a27ef41b19b543c158d594af189de80ae61c"},
        {"Lanczos1.dat", "dc7a419a4d7e7c0891e378dcde953a3e5dd273618b64b2cee8301e51577b428a"},
        {"Lanczos2.dat", "be1ac732e725ef75298f082bcdedab9e2ee9395ad77d8fad2ef37c95e0421572"},
        {"Lanczos3.dat", "bc998624541c49fedee08346ee2c1d495741c4ea1dd15c052d7c743ab3cf0efe"},
        {"MGH09.dat", "6419da83fd9ab34615769413dc2a6d35b11372f512a9401628a1565067c51d10"},
        {"MGH10.dat", "a0eb140580fdd6dcf6fba2cbbd81afa598c5226f1e6d702d1313c72a7a6e6fb4"},
        {"MGH17.dat", "75edb5522ee639794ae1f0d0f4a1e3638e963c6854888b853e1f45cea3c2f4d7"},
        {"Misra1a.dat", "9d3194d537d9a6bbf92eb819504070923a1885d0191f40b6b3aaeedd130b98e2"},
        {"Misra1b.dat", "dd27e310f787dcbc2addc50b9f8e5e3b82155f732926898b1858e4d08eead6a8"},
        {"Misra1c.dat", "012f75aa0ff112afabdff73880e324ab28e2dc267b678537611c403b959dc941"},
        {"Misra1d.dat", "4dfa39a381a5ffea3e5d9306af1bda9d53bc57226a8e6f0c19af6b9702580481"},
        {"Nelson.dat", "82fe77ef1a79a4441e7af5083680fc5046f9eb29b33bc2f2b76c478ecbe976d7"},
        {"Rat42.dat", "fc97dd1f94fbcb381495065a053e279f23588a9ceb243276f2a2c36c8225985b"},
        {"Rat43.dat", "36f08908d0f09b1d075e3701ca567701535c58ac0d795ff68fb3c04e172c2c5d"},
        {"Roszman1.dat", "6cca4a6b3ed24bca298e6d6cea3a550d8529278c40b8b9c3afdffb0fbb45b927"},
        {"Thurber.dat", "806b8d00a5365eff907561db796fec3af8a26a5f353297d4311fd46ed5b0146f"}},
       ""},
      {"nist-linear",
       {{"Filip.dat", "403b34689e401d915cb28bd69311d3ca5c3007d88d3b670b00e3203042315072"},
        {"Longley.dat", "fc4b0c824f8f0b834eb8e7d1c4c7e0b3cebdd7987bcb085e8f5e1007582480ea"},
        {"NoInt1.dat", "d8234c428dedaa9de23b67df7d04aeee83befae73ceb6b38321b224955a9b667"},
        {"NoInt2.dat", "a71c2810b1edcef8fec6b864c20c5f9d9908e530282a174772ce610999ca7c69"},
        {"Norris.dat", "5ab6906c68a9c4b2eb1661c0cd7d2a09f5a469a6d4e05b6b691f190f5f7b944f"},
        {"Pontius.dat", "de60baa5dc66fd804f9316f895bc5aa2b8f791c09d1ecc1ec39f8b199b8c15c7"},
        {"Wampler1.dat", "8bcd6f00dbe8c307ebc5c971e12b950eb3cdb75afbc2b38573082b5fcb0d7fbc"},
        {"Wampler2.dat", "01ba5f08b5b9f84431f3754216e006939a80264a1caa69fe08b3cbc543f9ee3e"},
        {"Wampler3.dat", "c5b025f6ebf0365de92d80e478ad826b01a6dfdafb71964ea8bae7eec993ce53"},
        {"Wampler4.dat", "dcff32075a52ecf31af70dad340776237544b1a29b5034a40f8b3e6b607cf9c1"},
        {"Wampler5.dat", "c4e260a6638db61287bfea75a2dd3b324c86c5d40931ddc6d8fab0c0305ffa39"}},
       "/usr/share/gretl/data/nist"},
      {"bundle-adjustment",
       {{"problem-16-22106-pre.txt", "e128b6b076399db26007a92323d98fe7b48db2a31089240273f40f582e612a91"}},
       ""},
      {"austen", {{"austen.txt", "65b434d16a8755142bfa95ba19c5f9abd0d30cf3dffe3b6793e834f9f56dcc96"}}, ""},
      // No data: what draws the figures of reports (docs/report.md).
      {"plotly",
       {{"plotly-cartesian.min.js", "79542150855a52c567260e3137095dbe2b744e6d702a5cabe67da246942fba7a"},
        {"plotly.min.js", "3b6e15d45dbb7fca5bd2094291e961ddc5472cd887009e6009a56dab668d721f"}},
       ""},
  };
  return sets;
}

std::string_view to_string(SetState state) {
  switch (state) {
    case SetState::present: return "present";
    case SetState::missing: return "missing";
    case SetState::corrupt: return "corrupt";
  }
  return "";
}

std::vector<SetStatus> list_fetched_sets(const std::string& cache) {
  std::vector<SetStatus> out;
  for (const FetchedSet& set : fetched_sets()) out.push_back(status_of(set, cache, false));
  return out;
}

SetStatus verify_fetched_set(std::string_view name, const std::string& cache) {
  return status_of(set_named(name), cache, true);
}

std::string fetched_file(std::string_view set_name, std::string_view file, const std::string& cache) {
  const FetchedSet& set = set_named(set_name);
  const fs::path path = find_file(set, file, cache);
  if (path.empty()) {
    const std::string also = set.system_folder.empty() ? "" : fmt::format(" nor in {}", set.system_folder);
    fail("the data set '{}' is missing: there is no {} in {}/{}{}; fetch it with: {}", set.name, file, cache, set.name,
         also, fetch_command(set.name));
  }
  return path.string();
}

}  // namespace hesse
