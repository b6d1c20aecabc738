#include "plan/signature.h"

#include <string.h>

size_t signature_first(const char *signature) {
    if (signature[0] == '\0' || signature[0] == ')')
        return 0;
    if (signature[0] == 'a') {
        size_t element = signature_first(signature + 1);
        return element == 0 ? 0 : element + 1;
    }
    if (signature[0] != '(')
        return strchr("sogbynqiuxt", signature[0]) ? 1 : 0;
    size_t length = 1;
    while (signature[length] != ')') {
        size_t member = signature_first(signature + length);
        if (member == 0)
            return 0;
        length += member;
    }
    return length > 1 ? length + 1 : 0;
}
