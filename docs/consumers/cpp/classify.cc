// Runs a model that carries its own pre- and postprocessing on raw pixels: no resizing, no mean, no labels file here.
//
//   g++ -std=c++17 -O2 classify.cc -o classify -ldl
//   ONNXRUNTIME_LIBRARY=.../libonnxruntime.so.1.31.1 ./classify MODEL.onnx PIXELS.u8 HEIGHT WIDTH [OUT_DIR]
//
// PIXELS.u8 holds HEIGHT x WIDTH x 3 bytes: R G B of the first pixel, then of its right neighbour, row by row.
// OUT_DIR, if given, receives the spec, every output (numbers as little-endian bytes, strings as JSON) and index.json.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "onnxruntime_minimal.h"

namespace {

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::filesystem::path& path, const std::string& content) {
    std::ofstream file(path, std::ios::binary);
    if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush()) {
        throw std::runtime_error("cannot write " + path.string());
    }
}

std::string json_string(const std::string& text) {
    std::string quoted = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            constexpr char digits[] = "0123456789abcdef";
            quoted += std::string("\\u00") + digits[c >> 4] + digits[c & 15];
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

template <typename T>
std::string joined(const std::vector<T>& items) {
    std::string text;
    for (const T& item : items) {
        if (!text.empty()) text += ",";
        if constexpr (std::is_same_v<T, std::string>) text += item;
        else text += std::to_string(item);
    }
    return "[" + text + "]";
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// The spec inside the model, or an error where this program could not be right.
std::string read_spec(const Api& api, const OrtSession* session) {
    auto metadata = api.make(ReleaseModelMetadata, SessionGetModelMetadata, session);
    auto spec = api.metadata(metadata.get(), "onnxprep.spec");
    if (!spec) throw std::runtime_error("no spec in this model (metadata key onnxprep.spec)");
    // Some steps could not be put into the graph and are left to us. Without them the answers are plausible and wrong.
    if (auto caller = api.metadata(metadata.get(), "onnxprep.caller")) {
        throw std::runtime_error("this model expects its caller to run steps of its own: onnxprep.caller is " +
                                 *caller);
    }
    // The stored text is canonical JSON: keys sorted, no blanks, quotes within texts escaped. So a search finds exactly
    // these members; a program that does more with the spec uses a JSON library. (The digest is checked in the Node
    // example: C++ has no SHA-256 of its own.)
    if (!contains(*spec, "\"onnxprep\":1,")) throw std::runtime_error("this program reads specs of format 1");
    if (!contains(*spec, R"("inputs":[{"color":"RGB","dtype":"uint8","layout":"NHWC",)")) {
        throw std::runtime_error("this program feeds one uint8 NHWC RGB picture; the spec is " + *spec);
    }
    return *spec;
}

// What the steps in spec[begin, end) do, by name.
std::vector<std::string> operations(const std::string& spec, std::size_t begin, std::size_t end) {
    const std::string key = "\"operation\":\"";
    std::vector<std::string> found;
    for (std::size_t at = spec.find(key, begin); at < end; at = spec.find(key, at)) {
        at += key.size();
        found.push_back(spec.substr(at, spec.find('"', at) - at));
    }
    return found;
}

// One output of the model, taken out of ONNX Runtime's hands.
struct Output {
    std::string name;
    int type;
    std::vector<std::int64_t> dims;
    std::string bytes;                 // numbers, little-endian
    std::vector<std::string> strings;  // of a string tensor, each as a JSON string

    Output(const Api& api, std::string output_name, OrtValue* value) : name(std::move(output_name)) {
        auto shape = api.make(ReleaseTensorTypeAndShapeInfo, GetTensorTypeAndShape, value);
        std::size_t rank, count;
        api.call(GetTensorElementType, shape.get(), &type);
        api.call(GetDimensionsCount, shape.get(), &rank);
        dims.resize(rank);
        api.call(GetDimensions, shape.get(), dims.data(), rank);
        api.call(GetTensorShapeElementCount, shape.get(), &count);
        if (type == kString) {
            for (std::size_t i = 0; i < count; ++i) {
                std::size_t length;
                api.call(GetStringTensorElementLength, value, i, &length);
                std::string text(length, '\0');
                api.call(GetStringTensorElement, value, length, i, text.data());
                strings.push_back(json_string(text));
            }
            return;
        }
        if (type >= static_cast<int>(std::size(kElementTypes)) || kElementTypes[type].size == 0) {
            throw std::runtime_error("output " + name + " has an element type this program does not write");
        }
        void* data;
        api.call(GetTensorMutableData, value, &data);
        bytes.assign(static_cast<const char*>(data), count * kElementTypes[type].size);
    }

    std::string described() const {
        std::string text = name + ": " + kElementTypes[type].name + " " + joined(dims);
        return type == kString ? text + " " + joined(strings) : text;
    }

    // Writes the values to a file of `folder` and gives the entry of index.json.
    std::string write(const std::filesystem::path& folder, std::size_t position) const {
        std::string file = std::to_string(position) + (type == kString ? ".json" : ".bin");
        write_file(folder / file, type == kString ? joined(strings) : bytes);
        return "{\"name\":" + json_string(name) + ",\"type\":" + json_string(kElementTypes[type].name) +
               ",\"dims\":" + joined(dims) + ",\"file\":" + json_string(file) + "}";
    }
};

void classify(const char* model, const std::string& pixels_path, std::int64_t height, std::int64_t width,
              const char* folder) {
    const char* library = std::getenv("ONNXRUNTIME_LIBRARY");
    Api api(library != nullptr ? library : "libonnxruntime.so.1");
    auto env = api.make(ReleaseEnv, CreateEnv, kOrtLoggingLevelWarning, "classify");
    auto options = api.make(ReleaseSessionOptions, CreateSessionOptions);
    auto session = api.make(ReleaseSession, CreateSession, env.get(), model, options.get());

    const std::string spec = read_spec(api, session.get());
    const std::size_t preprocess = spec.find("\"preprocess\":["), postprocess = spec.find("\"postprocess\":[");
    std::cout << "preprocess: " << joined(operations(spec, preprocess, spec.size())) << "\n"
              << "postprocess: " << joined(operations(spec, postprocess, preprocess)) << "\n";

    std::string pixels = read_file(pixels_path);
    if (height < 1 || width < 1 || pixels.size() != static_cast<std::size_t>(height * width * 3)) {
        throw std::runtime_error(pixels_path + " does not hold HEIGHT x WIDTH x 3 bytes");
    }
    const std::int64_t dims[] = {1, height, width, 3};
    auto memory = api.make(ReleaseMemoryInfo, CreateCpuMemoryInfo, kOrtArenaAllocator, kOrtMemTypeDefault);
    auto picture = api.make(ReleaseValue, CreateTensorWithDataAsOrtValue, memory.get(), pixels.data(),
                            pixels.size(), dims, std::size(dims), kUint8);

    std::size_t input_count, output_count;
    api.call(SessionGetInputCount, session.get(), &input_count);
    api.call(SessionGetOutputCount, session.get(), &output_count);
    if (input_count != 1) throw std::runtime_error("the model wants several inputs");
    const std::string input_name = api.name(SessionGetInputName, session.get(), 0);
    std::vector<std::string> output_names;
    for (std::size_t i = 0; i < output_count; ++i) {
        output_names.push_back(api.name(SessionGetOutputName, session.get(), i));
    }

    const char* input_names[] = {input_name.c_str()};
    const OrtValue* inputs[] = {picture.get()};
    std::vector<const char*> names;
    for (const std::string& name : output_names) names.push_back(name.c_str());
    std::vector<OrtValue*> values(output_count, nullptr);
    api.call(Run, session.get(), nullptr, input_names, inputs, 1, names.data(), output_count, values.data());

    std::string index;
    if (folder != nullptr) {
        std::filesystem::create_directories(folder);
        write_file(std::filesystem::path(folder) / "spec.json", spec);
    }
    for (std::size_t i = 0; i < output_count; ++i) {
        Owned<OrtValue> value(values[i], api[ReleaseValue]);
        Output output(api, output_names[i], value.get());
        std::cout << output.described() << "\n";
        if (folder != nullptr) index += (i == 0 ? "" : ",") + output.write(folder, i);
    }
    if (folder != nullptr) write_file(std::filesystem::path(folder) / "index.json", "[" + index + "]");
}

}  // namespace

int main(int count, char** arguments) {
    try {
        if (count < 5) throw std::runtime_error("usage: classify MODEL.onnx PIXELS.u8 HEIGHT WIDTH [OUT_DIR]");
        classify(arguments[1], arguments[2], std::atoll(arguments[3]), std::atoll(arguments[4]),
                 count > 5 ? arguments[5] : nullptr);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << "\n";
        return 1;
    }
}
