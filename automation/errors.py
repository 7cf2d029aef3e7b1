"""Everything greenlight refuses or fails at, and the exit code each of it ends the command with.

GreenlightError
  UsageError                what was given to a command cannot be; nothing was begun
  SpecError                 models/<model>.yaml is missing or wrong
    ModelNotFoundError
  SettingsProblemError      the stack's settings, as assembled, cannot be deployed
  PackagingError            the gate: nothing was uploaded
    TrainingError           the training script failed, or returns something else
    SourceError             what --from or the spec's source names cannot be taken
    EstimatorFileError      the estimator file cannot be taken
    ScriptError             the inference script cannot be served
    VersionDriftError       trained, checked and served by different versions
    ConversionError         the estimator has no ONNX form
    EqualityError           the ONNX form answers differently from scikit-learn
    ArtifactError           an artifact is missing, damaged, or not the one named
    EdgeError               a component that Greengrass or the folder would refuse
    ImageError              the image is missing, or SageMaker does not take its manifest
  SetupError                Pulumi, credentials or a region are missing
  StackError
    StackNotFoundError
    StackBusyError          another update runs, or died and left its lock
    FoundationInUseError    other models' stacks live on this base stack
    NothingToRevertError
    UpdateFailedError       the engine reported a failure
      SwapRolledBackError   SageMaker put the blue fleet back
  InvocationError           the endpoint answered with an error, or is not there
"""

from __future__ import annotations


class GreenlightError(Exception):
    """Anything greenlight refuses or fails at; the message says what to do next."""


class UsageError(GreenlightError):
    """What was given to a command cannot be: a value, a file, or two things at a time."""


class SpecError(GreenlightError):
    """A model's spec cannot be used."""


class ModelNotFoundError(SpecError):
    """No model of that name has a spec."""


class SettingsProblemError(GreenlightError):
    """The settings of a stack, assembled from base stack and spec, cannot be deployed."""


class PackagingError(GreenlightError):
    """The packaging gate refused; nothing was uploaded."""


class TrainingError(PackagingError):
    """A training script failed or does not return what the gate needs."""


class SourceError(PackagingError):
    """The place a model was to come from is not there, not finished, or not to be trusted."""


class ScriptError(PackagingError):
    """An inference script would not work in the container."""


class EstimatorFileError(PackagingError):
    """A file with a fitted estimator cannot be taken."""


class VersionDriftError(PackagingError):
    """What trained, what checked and what serves the model are different versions."""


class ConversionError(PackagingError):
    """The estimator cannot be converted to ONNX."""


class EqualityError(PackagingError):
    """The converted model answers differently from the estimator it was made from."""


class ArtifactError(PackagingError):
    """An artifact is missing, damaged, or not the one that was named."""


class EdgeError(PackagingError):
    """A Greengrass component cannot be written as it was asked for."""


class ImageError(PackagingError):
    """The image a stack is going to use is missing, or of a form that SageMaker refuses."""


class SetupError(GreenlightError):
    """Something outside greenlight is missing: the Pulumi CLI, credentials, a region."""


class StackError(GreenlightError):
    """An operation on a stack was refused or failed."""


class StackNotFoundError(StackError):
    """The stack does not exist yet."""


class StackBusyError(StackError):
    """Another update holds the stack."""


class FoundationInUseError(StackError):
    """Destroying a base stack would take the Foundation from under other models."""


class NothingToRevertError(StackError):
    """The stack's history holds no other verified deployment."""


class UpdateFailedError(StackError):
    """The engine ended an update with an error."""


class SwapRolledBackError(UpdateFailedError):
    """SageMaker rolled the endpoint back to the config it served before."""


class InvocationError(GreenlightError):
    """The endpoint could not be invoked."""


# The nearest class of an error's ancestors decides. docs/commands.md says them to people.
EXIT_CODES: dict[type[GreenlightError], int] = {
    GreenlightError: 1,
    # As the command line itself ends where an option is unknown.
    UsageError: 2,
    SpecError: 3,
    SettingsProblemError: 3,
    PackagingError: 4,
    SetupError: 5,
    StackNotFoundError: 6,
    StackBusyError: 7,
    UpdateFailedError: 8,
    SwapRolledBackError: 9,
    FoundationInUseError: 10,
    NothingToRevertError: 11,
    InvocationError: 12,
}


def exit_code_for(error: GreenlightError) -> int:
    """Return the exit code of the nearest class in `EXIT_CODES`."""
    for ancestor in type(error).__mro__:
        if ancestor in EXIT_CODES:
            return EXIT_CODES[ancestor]
    return EXIT_CODES[GreenlightError]
