// The few functions of ONNX Runtime's C interface that classify.cc needs, without ONNX Runtime's headers; C++17.
//
// The library exports OrtGetApiBase. It leads to a table of functions that only ever grows at its end, so a function's
// place in it, once released, is the same for ever. The names, arguments and order below are those of OrtApi in
// onnxruntime_c_api.h; whoever has that header includes it instead of this file.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

struct OrtAllocator;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtModelMetadata;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;

struct OrtApiBase {
    void* const* (*GetApi)(std::uint32_t version);
    const char* (*GetVersionString)();
};
using OrtGetApiBaseFunction = const OrtApiBase*();

// The table as of version 8 of the interface (ONNX Runtime 1.8): the oldest that holds everything named here.
constexpr std::uint32_t kOrtApiVersion = 8;
constexpr int kOrtLoggingLevelWarning = 2;
constexpr int kOrtArenaAllocator = 1;
constexpr int kOrtMemTypeDefault = 0;

// Element types by their number, ONNXTensorElementDataType; a size of 0 marks what classify.cc does not write.
struct ElementType {
    const char* name;
    std::size_t size;
};
constexpr ElementType kElementTypes[] = {
    {"undefined", 0}, {"float32", 4}, {"uint8", 1},  {"int8", 1}, {"uint16", 2},  {"int16", 2},   {"int32", 4},
    {"int64", 8},     {"string", 0},  {"bool", 1},   {"float16", 2}, {"float64", 8}, {"uint32", 4}, {"uint64", 8},
};
constexpr int kFloat32 = 1, kUint8 = 2, kInt64 = 7, kString = 8;

// A place in the table together with the type of the function that stands there.
template <typename Function>
struct Slot {
    std::size_t index;
};

// Functions return null, or a status that says what went wrong.
constexpr Slot<const char*(const OrtStatus*)> GetErrorMessage{2};
constexpr Slot<OrtStatus*(int level, const char* name, OrtEnv**)> CreateEnv{3};
constexpr Slot<OrtStatus*(OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession**)> CreateSession{7};
constexpr Slot<OrtStatus*(OrtSession*, const OrtRunOptions*, const char* const* input_names,
                          const OrtValue* const* inputs, std::size_t input_count, const char* const* output_names,
                          std::size_t output_count, OrtValue** outputs)> Run{9};
constexpr Slot<OrtStatus*(OrtSessionOptions**)> CreateSessionOptions{10};
constexpr Slot<OrtStatus*(const OrtSession*, std::size_t*)> SessionGetInputCount{30};
constexpr Slot<OrtStatus*(const OrtSession*, std::size_t*)> SessionGetOutputCount{31};
constexpr Slot<OrtStatus*(const OrtSession*, std::size_t index, OrtAllocator*, char**)> SessionGetInputName{36};
constexpr Slot<OrtStatus*(const OrtSession*, std::size_t index, OrtAllocator*, char**)> SessionGetOutputName{37};
constexpr Slot<OrtStatus*(const OrtMemoryInfo*, void* data, std::size_t bytes, const std::int64_t* dims,
                          std::size_t rank, int element_type, OrtValue**)> CreateTensorWithDataAsOrtValue{49};
constexpr Slot<OrtStatus*(OrtValue*, void**)> GetTensorMutableData{51};
constexpr Slot<OrtStatus*(const OrtTensorTypeAndShapeInfo*, int*)> GetTensorElementType{60};
constexpr Slot<OrtStatus*(const OrtTensorTypeAndShapeInfo*, std::size_t*)> GetDimensionsCount{61};
constexpr Slot<OrtStatus*(const OrtTensorTypeAndShapeInfo*, std::int64_t*, std::size_t)> GetDimensions{62};
constexpr Slot<OrtStatus*(const OrtTensorTypeAndShapeInfo*, std::size_t*)> GetTensorShapeElementCount{64};
constexpr Slot<OrtStatus*(const OrtValue*, OrtTensorTypeAndShapeInfo**)> GetTensorTypeAndShape{65};
constexpr Slot<OrtStatus*(int allocator_type, int memory_type, OrtMemoryInfo**)> CreateCpuMemoryInfo{69};
constexpr Slot<OrtStatus*(OrtAllocator*, void*)> AllocatorFree{76};
constexpr Slot<OrtStatus*(OrtAllocator**)> GetAllocatorWithDefaultOptions{78};
constexpr Slot<void(OrtEnv*)> ReleaseEnv{92};
constexpr Slot<void(OrtStatus*)> ReleaseStatus{93};
constexpr Slot<void(OrtMemoryInfo*)> ReleaseMemoryInfo{94};
constexpr Slot<void(OrtSession*)> ReleaseSession{95};
constexpr Slot<void(OrtValue*)> ReleaseValue{96};
constexpr Slot<void(OrtTensorTypeAndShapeInfo*)> ReleaseTensorTypeAndShapeInfo{99};
constexpr Slot<void(OrtSessionOptions*)> ReleaseSessionOptions{100};
constexpr Slot<OrtStatus*(const OrtSession*, OrtModelMetadata**)> SessionGetModelMetadata{111};
constexpr Slot<OrtStatus*(const OrtModelMetadata*, OrtAllocator*, const char* key, char** value)>
    ModelMetadataLookupCustomMetadataMap{116};  // *value stays null where there is no such key
constexpr Slot<void(OrtModelMetadata*)> ReleaseModelMetadata{118};
constexpr Slot<OrtStatus*(const OrtValue*, std::size_t index, std::size_t* bytes)> GetStringTensorElementLength{127};
constexpr Slot<OrtStatus*(const OrtValue*, std::size_t bytes, std::size_t index, void*)> GetStringTensorElement{128};

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// ONNX Runtime, found at run time: nothing of it is needed to compile, and any version from 1.8 on will do.
class Api {
  public:
    explicit Api(const char* library) {
        void* handle = dlopen(library, RTLD_NOW);
        if (handle == nullptr) throw std::runtime_error(dlerror());  // says which file and why
        auto base = reinterpret_cast<OrtGetApiBaseFunction*>(dlsym(handle, "OrtGetApiBase"));
        if (base == nullptr) throw std::runtime_error(dlerror());
        table_ = base()->GetApi(kOrtApiVersion);
        if (table_ == nullptr) throw std::runtime_error("this ONNX Runtime is older than 1.8");
        call(GetAllocatorWithDefaultOptions, &allocator_);
    }

    template <typename Function>
    Function* operator[](Slot<Function> slot) const {
        return reinterpret_cast<Function*>(table_[slot.index]);
    }

    template <typename Function, typename... Arguments>
    void call(Slot<Function> slot, Arguments... arguments) const {
        OrtStatus* status = (*this)[slot](arguments...);
        if (status == nullptr) return;
        std::string message = (*this)[GetErrorMessage](status);
        (*this)[ReleaseStatus](status);
        throw std::runtime_error(message);
    }

    // What `create` makes of `arguments`; its owner releases it.
    template <typename T, typename Function, typename... Arguments>
    Owned<T> make(Slot<void(T*)> release, Slot<Function> create, Arguments... arguments) const {
        T* made = nullptr;
        call(create, arguments..., &made);
        return {made, (*this)[release]};
    }

    // The value of a key of the model's metadata, if it is there.
    std::optional<std::string> metadata(const OrtModelMetadata* from, const char* key) const {
        char* text = nullptr;
        call(ModelMetadataLookupCustomMetadataMap, from, allocator_, key, &text);
        if (text == nullptr) return std::nullopt;
        return taken(text);
    }

    // The name of an input or output.
    template <typename Function>
    std::string name(Slot<Function> get_name, const OrtSession* session, std::size_t index) const {
        char* text = nullptr;
        call(get_name, session, index, allocator_, &text);
        return taken(text);
    }

  private:
    // A copy of a text that the library has allocated for us, which is freed.
    std::string taken(char* text) const {
        std::string copy = text;
        call(AllocatorFree, allocator_, text);
        return copy;
    }

    void* const* table_ = nullptr;
    OrtAllocator* allocator_ = nullptr;
};
