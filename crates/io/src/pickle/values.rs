//! The values that a pickle makes, and what the allowed functions make of them.

use super::global::{Element, Global};
use tokenbed_memory::{Gather, List};

/// The place of a value in the list of all.
pub(crate) type Index = u32;

/// A storage: elements in a file of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageOf {
    /// The name of its file below `data/`: the index of a text.
    pub key: Index,
    pub element: Element,
    /// Number of elements.
    pub len: usize,
}

/// A tensor: a view of a storage, within its elements. Its sizes stay where the pickle has them, so that many tensors
/// of one tuple take no more memory than one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorOf {
    pub storage: StorageOf,
    /// Index of its first element.
    pub offset: usize,
    shape: Index,
    strides: Index,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// None, a truth value, a float, bytes, or a number of more than eight bytes: nothing that tensors need.
    Other,
    Number(i64),
    Text(String),
    Tuple(Vec<Index>),
    List(Vec<Index>),
    Dict(Vec<(Index, Index)>),
    Global(Global),
    Storage(StorageOf),
    Tensor(Box<TensorOf>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Other => "something that is no object of tensors",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a name",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<Value>);

/// The value that an index which never was given stands for.
static NOTHING: Value = Value::Other;

impl Values {
    pub(super) fn put(&mut self, value: Value) -> Index {
        self.0.put(value);
        // A pickle of 2^32 opcodes that make values would have taken 200 GB of memory before.
        (self.0.len() - 1) as Index
    }

    pub(crate) fn get(&self, index: Index) -> &Value {
        self.0.get(index as usize).unwrap_or(&NOTHING)
    }

    pub(super) fn get_mut(&mut self, index: Index) -> &mut Value {
        &mut self.0[index as usize]
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The storage that a persistent id names: `('storage', class, key, device, elements)`.
    pub(super) fn storage(&self, id: Index) -> Result<StorageOf, String> {
        let Value::Tuple(parts) = self.get(id) else {
            return Err(format!("the pickle refers to something outside by {}", self.get(id).kind()));
        };
        let &[kind, class, key, device, len] = &parts[..] else {
            return Err("the pickle refers to something outside that is no storage of elements".into());
        };
        match (self.get(kind), self.get(class), self.get(key), self.get(device), self.get(len)) {
            (
                Value::Text(kind),
                Value::Global(Global::Storage(element)),
                Value::Text(_),
                Value::Text(_),
                Value::Number(len),
            ) if kind == "storage" && *len >= 0 => Ok(StorageOf { key, element: *element, len: *len as usize }),
            _ => Err("the pickle refers to something outside that is no storage of elements".into()),
        }
    }

    /// What a function makes of its arguments.
    pub(super) fn call(&self, function: Global, arguments: Index) -> Result<Value, String> {
        let Value::Tuple(arguments) = self.get(arguments) else {
            return Err(format!("the pickle calls a function with {}", self.get(arguments).kind()));
        };
        match (function, &arguments[..]) {
            (Global::OrderedDict, []) => Ok(Value::Dict(Vec::new())),
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) if arguments.len() <= 7 => {
                self.tensor(storage, offset, shape, strides)
            }
            (Global::RebuildParameter, &[data, _, _]) => match self.get(data) {
                Value::Tensor(tensor) => Ok(Value::Tensor(Box::new(**tensor))),
                other => Err(format!("the pickle makes a parameter of {}", other.kind())),
            },
            (Global::Storage(Element { name, .. }), _) => {
                Err(format!("the pickle makes a storage of {name} by a call"))
            }
            (_, other) => Err(format!("the pickle calls a function with {} arguments", other.len())),
        }
    }

    fn tensor(&self, storage: Index, offset: Index, shape: Index, strides: Index) -> Result<Value, String> {
        let Value::Storage(storage) = *self.get(storage) else {
            return Err(format!("the pickle makes a tensor of {}, and not of a storage", self.get(storage).kind()));
        };
        let Value::Number(offset) = *self.get(offset) else {
            return Err(format!("a tensor begins at {}", self.get(offset).kind()));
        };
        let offset = usize::try_from(offset).map_err(|_| format!("a tensor begins at element {offset}"))?;
        let tensor = TensorOf { storage, offset, shape, strides };
        let (shape, strides) = (self.sizes(shape, "shape")?, self.sizes(strides, "strides")?);
        if shape.len() != strides.len() {
            return Err(format!("a tensor has {} sizes and {} strides", shape.len(), strides.len()));
        }
        let last = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |last, (&size, &stride)| last.checked_add(size.saturating_sub(1).checked_mul(stride)?));
        if !shape.contains(&0) && last.is_none_or(|last| last >= storage.len) {
            return Err(format!(
                "a tensor of shape {:?} and strides {:?} from element {offset} on reaches past the {} elements of its storage",
                Few(&shape),
                Few(&strides),
                storage.len
            ));
        }
        Ok(Value::Tensor(Box::new(tensor)))
    }

    /// The shape and the strides of a tensor.
    pub(crate) fn layout(&self, tensor: &TensorOf) -> (Vec<usize>, Vec<usize>) {
        let sizes = |tuple, what| self.sizes(tuple, what).unwrap_or_default();
        (sizes(tensor.shape, "shape"), sizes(tensor.strides, "strides"))
    }

    /// A text; empty if it is none.
    pub(crate) fn text(&self, index: Index) -> &str {
        match self.get(index) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    fn sizes(&self, tuple: Index, what: &str) -> Result<Vec<usize>, String> {
        let Value::Tuple(items) = self.get(tuple) else {
            return Err(format!("the {what} of a tensor are {}", self.get(tuple).kind()));
        };
        let size = |&item: &Index| match *self.get(item) {
            Value::Number(size) => {
                usize::try_from(size).map_err(|_| format!("the {what} of a tensor have the number {size}"))
            }
            ref other => Err(format!("the {what} of a tensor have {}", other.kind())),
        };
        if items.len() > MOST_DIMENSIONS {
            return Err(format!("a tensor has {} dimensions; at most {MOST_DIMENSIONS} are read", items.len()));
        }
        items.iter().map(size).try_into_list()
    }
}

/// The most dimensions of a tensor, which is PyTorch's own limit.
const MOST_DIMENSIONS: usize = 64;

/// The first sizes of a shape, for messages.
struct Few<'a>(&'a [usize]);

impl std::fmt::Debug for Few<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().take(8)).finish()
    }
}
