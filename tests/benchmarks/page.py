"""docs/benchmarks.md: ``python tests/benchmarks/page.py > docs/benchmarks.md``, about 10 minutes on an idle machine."""

import chains
import export_time
import front_end
import post
import start_up

if __name__ == "__main__":
    front_end.main()
    print("\n## Whole chains\n\nOne thread; in brackets how many times as fast as the library.\n")
    chains.main()
    print(
        "\n## Export\n\nA model of square matrices, the ImageNet steps in front. Only reading, loading and writing grow with it.\n"
    )
    export_time.main()
    print("\n## Start\n\nA process from its start to its end, medians of starts in turn.\n")
    start_up.main()
    print(
        "\n## Answers\n\n"
        "The head of a YOLOv8 for 80 classes, 640 x 640 px, to boxes, scores and classes in fixed width: `decode_boxes`, `nms`,\n"
        "`pack_detections`, beside non_max_suppression of Ultralytics with torchvision's compiled nms, on the same array in the\n"
        "same process (on two threads each in its own). Rows are equal to the bit. In brackets: how many times as fast as the\n"
        "library. Only `top_k` of a hundred is slower than torch's, which orders equal values as it likes.\n"
    )
    post.main()
